"""A Model is a codec with a VAE: records in, latent points out, and back. It is what is trained, saved, loaded and given away."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from molvae import artifacts, shipped
from molvae.data.batches import Batch
from molvae.data.codecs import Codec, SmilesCodec
from molvae.data.codecs import load as load_codec
from molvae.data.given import column_of
from molvae.distributions import FittedPrior, Prior, stored
from molvae.distributions.fitting import Unwatched, Watch
from molvae.distributions.noise import generator
from molvae.errors import ArtifactError, InputError
from molvae.nets import GRUDecoder
from molvae.rereading import ENCODE_BLOCK, Rereading
from molvae.vae import VAE

FORMAT = 1
DECODE_BLOCK = 8192
"""Points between two looks at how far decoding is; a point's record does not depend on it."""

SAMPLE_STREAM = 2**62
"""Noise streams of sampling, apart from those of training steps, which count from 0."""

Latents = NDArray[np.float32]
Records = Any
"""What a codec speaks: a list of SMILES, or an array of images."""

PriorName = Literal["normal", "fitted"]
"""Where latent points are drawn: the prior of training (N(0, I), unless the model has another), or the one fitted after it."""


@dataclass(frozen=True)
class GuardedStrings:
    """Strings of guarded decoding.

    Attributes:
        strings: one for each latent point.
        intervened: where it is another than without the guard.
    """

    strings: list[str]
    intervened: NDArray[np.bool_]

    @property
    def share_intervened(self) -> float:
        """The share of strings on which the guard intervened; 0 of none."""
        return float(self.intervened.mean()) if len(self.intervened) else 0.0


class Model:
    """A trained (or fresh) VAE with the codec that speaks its data's language.

    Args:
        codec: records to batches and back; owns the vocabulary and the canonical form.
        vae: the tensors' side.
        about: provenance, plain data: stored in the model folder and shown in its card.
        fitted_prior: fitted to this encoder's codes after training; see ``molvae fit-prior``.

    Attributes:
        card: what a reader should know, that of the folder it was loaded from; empty of a fresh model.
    """

    def __init__(
        self, codec: Codec, vae: VAE, about: dict[str, Any] | None = None, fitted_prior: FittedPrior | None = None
    ):
        self.codec, self.vae, self.about = codec, vae.eval(), about or {}
        self.fitted_prior = fitted_prior
        self.card = ""

    @property
    def fitted_prior(self) -> FittedPrior | None:
        """The prior fitted after training; it may ask this model how it reads a latent point."""
        return self._fitted_prior

    @fitted_prior.setter
    def fitted_prior(self, prior: FittedPrior | None) -> None:
        if prior is not None:
            prior.read_with(self.reading)
        self._fitted_prior = prior

    @property
    def reading(self) -> Rereading:
        """How this model reads latent points."""
        return Rereading(self.vae, self.codec)

    @property
    def latent_size(self) -> int:
        """Dimensions of a latent point."""
        return self.vae.latent_size

    @torch.inference_mode()
    def encode(
        self, records: Records, *, sampled: bool = False, seed: int = 0, as_written: bool = False
    ) -> Latents:
        """Latent points of records.

        Args:
            records: SMILES (a list, a column of a table), or images as an array. SMILES are brought to the form of the
                model's data first, so that one molecule has one latent point.
            sampled: z ~ q(z | x) instead of the mean.
            seed: of that sample.
            as_written: take SMILES as they are.

        Returns:
            (records, latent), float32.

        Raises:
            InputError: a record that the codec does not know, with the place in it.
        """
        records = _sequence(records)
        if not as_written:
            records = self.codec.in_form(records)
        z = np.zeros((len(records), self.latent_size), np.float32)
        # Neighbours in length share a block, so that little of it is filling.
        order = np.argsort(
            [np.size(record) if not isinstance(record, str) else len(record) for record in records], kind="stable"
        )
        noise: torch.Tensor | None = None
        for start in range(0, len(records), ENCODE_BLOCK):
            rows = order[start : start + ENCODE_BLOCK]
            q = self.vae.encode(self._batch(records, rows).to(self.vae.device, self.vae.dtype))
            if sampled and noise is None:
                noise = q.noise(len(records), generator(seed, SAMPLE_STREAM))
            points = q.centre if noise is None else q.transform(noise[torch.from_numpy(rows)])
            z[rows] = points.float().cpu().numpy()
        return z

    def _batch(self, records: Records, rows: NDArray[np.intp]) -> Batch:
        """Some of the records as a batch; a complaint counts among all of them."""
        try:
            return self.codec.encode([records[row] for row in rows])
        except InputError:
            self.codec.encode(records)
            raise

    @torch.inference_mode()
    def decode(self, z: NDArray[Any] | torch.Tensor, *, guard: bool = False, watch: Watch | None = None) -> Records:
        """The record that each latent point means: greedy, in float32, the same whatever the batch.

        Args:
            z: (records, latent), finite.
            guard: say no token after which a string could not become a molecule (see `decode_guarded`).
            watch: shown how far it is.
        """
        if guard:
            return self.decode_guarded(z, watch=watch).strings
        units = [
            self.vae.decode(block, self.codec.num_units).cpu() for block in _blocks(self._points(z), "decoding", watch)
        ]
        return self.codec.decode(torch.cat(units))

    def decode_guarded(self, z: NDArray[Any] | torch.Tensor, *, watch: Watch | None = None) -> GuardedStrings:
        """Guarded decoding, with where it made a difference: docs/guard.md.

        Args:
            z: (records, latent), finite.
            watch: shown how far it is.

        Raises:
            InputError: a model that is not one of SMILES in whole atoms, or whose decoder cannot be guarded.
        """
        codec, decoder, points = self.codec, self.vae.decoder, self._points(z)
        if not isinstance(codec, SmilesCodec) or not isinstance(decoder, GRUDecoder):
            raise InputError("a model that cannot be guarded", where="--guard", got=f"{codec.kind}, {decoder.kind}",
                             expected="SMILES written by a GRU decoder")
        guarded = [
            decoder.generate_guarded(block, codec.num_units, codec.grammar, lambda units: _valid(codec, units))
            for block in _blocks(points, "guarded decoding", watch)
        ]
        strings = codec.decode(torch.cat([one.tokens.cpu() for one in guarded]))
        return GuardedStrings(strings, torch.cat([one.intervened for one in guarded]).cpu().numpy())

    def _points(self, z: NDArray[Any] | torch.Tensor) -> torch.Tensor:
        """Latent points given by a user, checked, where the model is."""
        points = z.float() if isinstance(z, torch.Tensor) else torch.from_numpy(np.array(z, dtype=np.float32))
        if points.ndim != 2 or points.shape[1] != self.latent_size:
            raise InputError(
                "latent points of the wrong shape",
                where="decode",
                got=tuple(points.shape),
                expected=f"(records, {self.latent_size})",
            )
        if not bool(torch.isfinite(points).all()):
            raise InputError("a latent point that is not finite", where="decode", expected="finite numbers")
        return points.to(self.vae.device)

    def reconstruct(
        self, records: Records, *, sampled: bool = False, seed: int = 0, as_written: bool = False
    ) -> Records:
        """Records encoded (see `encode`) and decoded again."""
        return self.decode(self.encode(records, sampled=sampled, seed=seed, as_written=as_written))

    def sample(
        self, num_records: int, *, seed: int = 0, prior: PriorName = "normal", guard: bool = False, sweeps: int = 0,
        watch: Watch | None = None,
    ) -> Records:  # fmt: skip
        """Records decoded from the prior; invalid ones are not hidden.

        Args:
            num_records: how many.
            seed: the same seed gives the same records.
            prior: ``normal``, the prior of training, or ``fitted``.
            guard: decode with the guard.
            sweeps: of the chain that draws points out of holes (see `swept`).
            watch: shown how far it is.
        """
        z = self.sample_prior(num_records, seed=seed, prior=prior, sweeps=sweeps, watch=watch)
        return self.decode(z, guard=guard, watch=watch)

    def sample_prior(
        self, num_records: int, *, seed: int = 0, prior: PriorName = "normal", sweeps: int = 0,
        watch: Watch | None = None,
    ) -> Latents:  # fmt: skip
        """Latent points from the prior, (records, latent), after so many sweeps (see `swept`).

        Raises:
            InputError: a number below 0.
        """
        if num_records < 0:
            raise InputError("a number of samples below 0", where="sample", got=num_records, expected="0 or more")
        z = self.prior(prior).sample(num_records, generator(seed, SAMPLE_STREAM), watch).numpy().astype(np.float32)
        return self.swept(z, sweeps, seed=seed, watch=watch) if sweeps else z

    @torch.inference_mode()
    def swept(
        self, z: NDArray[Any] | torch.Tensor, num_sweeps: int, *, seed: int = 0, watch: Watch | None = None
    ) -> Latents:
        """Latent points after sweeps of the pseudo-Gibbs chain x = D(z), z ~ q(z | x); the last takes the mean of q.

        Where q(z | x) and the decoder agree, the stationary distribution is that of the data and their codes (Rezende, Mohamed and
        Wierstra 2014, who fill in missing data with such a chain). A point in a hole, where no record has its code, decodes to
        something that the encoder places elsewhere: a few sweeps lead from there to where records are.

        Args:
            z: (records, latent), finite.
            num_sweeps: decodings and encodings of every point; 0 leaves the points as they are.
            seed: of z ~ q.
            watch: shown how far it is.

        Returns:
            (records, latent), float32.
        """
        points = self._points(z)
        for sweep in range(num_sweeps):
            noise = None if sweep == num_sweeps - 1 else generator(seed, sweep, "sweeps")
            blocks = _blocks(points, f"sweep {sweep + 1} of {num_sweeps}", watch)
            codes = [self.reading.codes(self.vae.decode(block, self.codec.num_units), noise) for block in blocks]
            points = torch.cat(codes)
        return points.cpu().numpy()

    def prior(self, name: PriorName) -> Prior:
        """The prior of training, or the fitted one.

        Raises:
            InputError: no fitted prior in this model.
        """
        if name not in ("normal", "fitted"):
            raise InputError("no such prior", where="prior", got=f"'{name}'", expected="normal or fitted")
        if name == "normal":
            return self.vae.prior
        if self.fitted_prior is None:
            raise InputError("a model without a fitted prior", where="prior", got="fitted",
                             hint="`molvae fit-prior MODEL DATA` fits one and keeps it in the model folder.")
        return self.fitted_prior

    def interpolate(self, first: Any, last: Any, num_points: int = 9) -> tuple[Records, Latents]:
        """Records along the straight line between two records' means, both ends included.

        Returns:
            the decoded records and their latent points, (num_points, latent).

        Raises:
            InputError: too few points; discrete latents, between which there is nothing.
        """
        if num_points < 2:
            raise InputError("too few points for a line", where="interpolate", got=num_points, expected="2 or more")
        if self.vae.posterior.is_discrete:
            raise InputError("no line between points of a discrete latent space", where="interpolate",
                             got=f"posterior '{self.vae.posterior.kind}'", expected="a model with continuous latents")  # fmt: skip
        ends = self.encode([first, last])
        weights = np.linspace(0.0, 1.0, num_points, dtype=np.float32)[:, None]
        z = (1.0 - weights) * ends[0] + weights * ends[1]
        return self.decode(z), z

    def extended(self, codec: Codec) -> Model:
        """The same model for a codec that knows more tokens: what it has learned is kept, the rest is fresh.

        Args:
            codec: its tokens begin with this model's, in the same order.
        """
        spec = {name: dict(part) for name, part in self.vae.spec.items()}
        for part in spec.values():
            part.update({size: value for size, value in codec.sizes.items() if size in part})
        vae = VAE.from_spec(spec)
        fresh = vae.state_dict()
        for name, learned in self.vae.state_dict().items():
            if learned.shape == fresh[name].shape:
                fresh[name] = learned
            else:  # tokens are rows of the embeddings and of the head: the old ones come first
                fresh[name][: len(learned)] = learned
        vae.load_state_dict(fresh)
        return Model(codec, vae, self.about)

    def save(self, folder: Path | str, *, card: str | None = None, bf16: bool = False) -> None:
        """Write the model folder: config.json, weights.safetensors, what the codec owns, MODEL_CARD.md, and a manifest.

        The folder appears whole or not at all; a fitted prior is a folder in it, with a manifest of its own.

        Args:
            folder: where.
            card: what a reader should know; the model's own where None.
            bf16: round the weights to bfloat16, which halves the folder; they are float32 again when loaded.
        """
        config = {"format": FORMAT, "codec": self.codec.spec, "vae": self.vae.spec, "about": self.about}
        with artifacts.writing(Path(folder)) as writer:
            writer.json("config.json", config)
            writer.tensors("weights.safetensors", artifacts.tensors_of(self.vae, bf16))
            writer.text("MODEL_CARD.md", self.card if card is None else card)
            for name, text in self.codec.files().items():
                writer.text(name, text)
            if self.fitted_prior is not None:
                stored.write(writer.path, self.fitted_prior, bf16)

    @classmethod
    def load(cls, folder: Path | str, device: str | torch.device = "cpu") -> Model:
        """A model from its folder, every byte checked against the manifest before a tensor is used.

        Raises:
            ArtifactError: no such folder, a damaged file (named), a format of another version.
        """
        files = artifacts.Folder(Path(folder), editable=stored.entries(Path(folder)))
        config = files.json("config.json")
        if config.get("format") != FORMAT:
            raise ArtifactError("a model of another format", where=Path(folder) / "config.json", got=config.get("format"),
                                expected=FORMAT, hint="Update molvae, or train the model again.")
        vae = VAE.from_spec(config["vae"])
        vae.load_state_dict(files.tensors("weights.safetensors"))
        codec = load_codec(Path(folder), config["codec"])
        model = cls(codec, vae.to(device), config["about"], stored.read(Path(folder)))
        model.card = files.text("MODEL_CARD.md")
        return model


def _blocks(points: torch.Tensor, stage: str, watch: Watch | None) -> Iterator[torch.Tensor]:
    """Latent points in blocks; each is told of when the next is asked for."""
    for block in torch.split(points, DECODE_BLOCK):
        yield block
        (watch or Unwatched())(stage, len(block), len(points))


def _valid(codec: SmilesCodec, units: torch.Tensor) -> NDArray[np.bool_]:
    """Which strings RDKit reads (imported here: only a guarded model needs chemistry)."""
    from molvae.chem.molecules import are_molecules

    return np.array(are_molecules(codec.decode(units)), dtype=np.bool_)


def _sequence(records: Records) -> Records:
    """Records that can be counted and picked by position, whatever held them."""
    if isinstance(records, str):
        raise InputError(
            "one string where a list is expected", where="records", got=f"'{records}'", hint="Write [smiles]."
        )
    records = column_of(records)
    return records if isinstance(records, np.ndarray | torch.Tensor) and records.ndim > 1 else list(records)


def find(path: Path | str) -> Path:
    """The model folder behind a run folder, a model folder, or the name of a model that ships (in this order).

    Raises:
        InputError: none of them; those that ship are listed.
    """
    name, path = str(path), Path(path)
    for candidate in (path, path / "model"):
        if (candidate / "config.json").is_file():
            return candidate
    ships = shipped.find(name)
    if ships is not None and not (path / "config.toml").is_file():  # a run under that name is not passed over
        return ships
    raise shipped.no_model(name)


def load(path: Path | str, device: str | torch.device = "cpu") -> Model:
    """The model of a run folder, of a model folder, or one that ships, by its name."""
    return Model.load(find(path), device)
