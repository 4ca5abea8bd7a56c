"""The evaluation of a model: sampled with several seeds, its reconstruction beside every FCD, its latent space."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from molvae.chem.penalized import penalized_logp
from molvae.chem.targets import target_function
from molvae.data.codecs import SmilesCodec
from molvae.data.given import Molecules, chosen_column, is_named, named
from molvae.data.sources import resolve
from molvae.distributions import stored
from molvae.errors import InputError
from molvae.evaluation.profiles import Chemistry
from molvae.evaluation.regression import latent_regression
from molvae.evaluation.results import Report
from molvae.evaluation.suite import evaluate
from molvae.evaluation.worth import ChemNetDistance, reconstruction_worth
from molvae.files import atomic_write, write_bytes
from molvae.model import Model, PriorName, find, load
from molvae.report.comparison import guarded_lines, latent_table, metrics_table, reconstruction_lines
from molvae.report.published import published
from molvae.report.tradeoff import TradeoffPoint, draw_tradeoff
from molvae.workflows.environment import versions
from molvae.workflows.guarding import check_guard, guarded_metrics, over_seeds
from molvae.workflows.records import choose, read_records
from molvae.workflows.regression_data import regression_data
from molvae.workflows.snapshots import find_snapshots
from molvae.workflows.stages import Stages

MOLECULES_WITHOUT_SAMPLES = 10_000


@dataclass(frozen=True)
class SuiteOptions:
    """What the MOSES suite is asked; see `molvae.evaluation.evaluate`."""

    reference: Molecules
    reference_scaffolds: Molecules | None
    train: Molecules | None
    unique_at: tuple[int, ...]
    confidence: bool
    num_workers: int
    seed: int
    smiles_column: str | None = None

    @property
    def arguments(self) -> dict[str, Any]:
        """As keywords of the suite."""
        return dict(vars(self))


@dataclass(frozen=True)
class LatentOptions:
    """What is asked of a latent space.

    Attributes:
        limit: molecules to reconstruct, drawn at random; as many as are sampled where None, so that the FCDs of samples and
            of reconstructions have the same bias.
        target: property of the regression; None for no regression.
        splits: 90/10 splits of it.
        regression_size: molecules in it, drawn at random from all parts of the data; the published figures use all.
        importance_samples: of the likelihood of images.
    """

    limit: int | None = None
    target: str | None = "penalized_logp"
    splits: int = 10
    regression_size: int = 10_000
    importance_samples: int = 200


@dataclass
class ModelEvaluation:
    """One evaluation under way; what is known so far is on the disk after each stage.

    Attributes:
        given: a model, a run folder or a model folder.
        output: of the JSON, if any.
        suite: for the MOSES suite.
        stages: shows progress.
        num: samples a seed.
        seeds: how many.
        latent: DATA.
        options: what is asked of the latent space.
        prior: which samples are drawn from.
        sweeps: that the sampled points take.
        guard: sample with the guard, too.
    """

    given: Model | str | Path
    output: Path | None
    suite: SuiteOptions
    stages: Stages
    num: int
    seeds: int
    latent: Molecules | None
    options: LatentOptions
    prior: PriorName = "normal"
    sweeps: int = 0
    guard: bool = False
    content: dict[str, Any] = field(default_factory=dict)

    def run(self) -> tuple[dict[str, Any], str]:
        """Everything that was asked for: the content of the JSON, and a table."""
        self._check()
        self.content = {"metrics": {}, "about": self._about()}
        if self.num:
            self._sample_and_evaluate()
        if self.guard:
            self.content["guarded"] = guarded_metrics(
                self.model, self.num, self.content["about"]["seeds"], self.prior, self.sweeps, self.suite.arguments, self.stages,
                self._write_samples,
            )  # fmt: skip
            self._save()
        with Chemistry(self.suite.num_workers, progress=self.stages) as chemistry:
            fcd = None if self.latent is None else ChemNetDistance(
                self.suite.reference, chemistry, self.stages, self.suite.smiles_column
            )
            self._reconstruct(fcd)
            if fcd is not None:
                self._latent(chemistry)
                self._draw(fcd)
        self._save()
        return self.content, self._table()

    @cached_property
    def model(self) -> Model:
        """The model."""
        return self.given if isinstance(self.given, Model) else load(self.given)

    def _check(self) -> None:
        """Refuse before an hour of work what would fail after it."""
        if not isinstance(self.model.codec, SmilesCodec):
            raise InputError("a model of images", where="evaluate", expected="a model of molecules")
        if self.num == 0 and self.latent is None:
            raise InputError("nothing to do", where="-n 0", hint="Give --latent DATA, or a number of samples.")
        if self.num < 0 or self.seeds < 1:
            raise InputError("numbers that are too small", got=f"-n {self.num}, --seeds {self.seeds}")
        if self.options.target is not None:
            target_function(self.options.target)
        self.model.prior(self.prior)
        if self.guard:
            check_guard(self.model, self.num)
        if is_named(self.latent) and resolve(self.latent, "--latent").kind != "molecules":
            raise InputError("no molecules", where="--latent", got=str(self.latent), expected="a file of molecules")

    def _about(self) -> dict[str, Any]:
        about = {
            "model": str(self.given) if not isinstance(self.given, Model) else "a model in memory",
            "weights_sha256": None if isinstance(self.given, Model) else stored.weights_sha256(find(self.given)),
            "trained_on": self.model.about.get("data"),
            "versions": versions(),
            "prior": self._prior_spec(),
            "samples_per_seed": self.num,
            "seeds": [self.suite.seed + i for i in range(self.seeds)] if self.num else [],
            "reasons": {},
        }
        return about

    def _prior_spec(self) -> dict[str, Any]:
        fitted = self.model.fitted_prior
        about = fitted.about if self.prior == "fitted" and fitted is not None else {}
        swept = {"sweeps": self.sweeps} if self.sweeps else {}
        return {"name": self.prior, **self.model.prior(self.prior).spec, **swept, **({"fit": about} if about else {})}

    def _sample_and_evaluate(self) -> None:
        reports: list[Report] = []
        for seed in self.content["about"]["seeds"]:
            self.stages.say(f"seed {seed}: {self.num:,} samples")
            drawn = self.model.sample(self.num, seed=seed, prior=self.prior, sweeps=self.sweeps, watch=self.stages)
            samples = list(drawn)
            self._write_samples(seed, samples)
            options = self.suite.arguments | {"seed": seed, "confidence": self.suite.confidence and not reports}
            reports.append(evaluate(samples, progress=self.stages, **options))
            self._take(reports)
            self._save()

    def _take(self, reports: Sequence[Report]) -> None:
        """What the seeds so far have given."""
        first, about = reports[0], self.content["about"]
        runs = [{"seed": seed, "metrics": report.metrics, "about": report.about}
                for seed, report in zip(about["seeds"], reports, strict=False)]  # fmt: skip
        self.content["metrics"], self.content["deviations"] = over_seeds(reports)
        self.content["runs"] = runs
        if first.intervals:
            self.content["confidence"] = {key: list(interval) for key, interval in first.intervals.items()}
        for report in reports:
            about["reasons"] |= report.about["reasons"]
        about |= {name: first.about[name] for name in ("references", "train", "fcd", "chemnet_sha256")}
        about["versions"] = first.about["versions"] | about["versions"]

    def _reconstruct(self, fcd: ChemNetDistance | None) -> None:
        self.stages.say("reconstruction")
        records = choose(self._records(), self.options.limit or self.num or MOLECULES_WITHOUT_SAMPLES, self.suite.seed)
        worth = reconstruction_worth(self.model, records, fcd, self.suite.seed)
        worth["data"] = "the reference" if self.latent is None else named(self.latent)
        self.content["reconstruction"] = worth
        self._save()

    def _records(self) -> list[str]:
        """The molecules to reconstruct: those of --latent, else of the reference, as far as the model can read them."""
        given = self.suite.reference if self.latent is None else self.latent
        return list(read_records(self.model, given, chosen_column(given, self.suite.smiles_column), quiet=True))

    def _latent(self, chemistry: Chemistry) -> None:
        latent = dict(self.content["reconstruction"])
        metrics, about = self.content["metrics"], self.content["about"]
        none = {"value": None, "reason": "no samples were drawn (-n 0)"}
        latent["prior_validity"] = metrics.get("valid")
        latent["FCD_prior"] = none
        if self.num:
            sizes = about["fcd"].get("FCD/Test", {})
            latent["FCD_prior"] = {
                "value": metrics["FCD/Test"], "num_generated": sizes.get("generated"),
                "num_reference": sizes.get("reference"), "reason": about["reasons"].get("FCD/Test", ""),
            }  # fmt: skip
        self.content["latent"] = latent
        self._save()
        if self.options.target is not None:
            latent["regression"] = self._regression(chemistry)
            self._save()

    def _regression(self, chemistry: Chemistry) -> dict[str, Any]:
        assert self.latent is not None and self.options.target is not None
        options = self.options
        found = regression_data(
            self.model, self.latent, self.options.target, options.regression_size, self.suite.seed, chemistry, self.stages,
            chosen_column(self.latent, self.suite.smiles_column),
        )  # fmt: skip
        figures = latent_regression(
            found.z, found.targets, splits=options.splits, seed=self.suite.seed, progress=self.stages
        )
        return {
            "target": options.target, "data": found.name, "num_available": found.num_available, **figures,
            "failures": found.num_failures, "comparable": found.name == "zinc250k" and options.target == penalized_logp.__name__,
        }  # fmt: skip

    def _draw(self, fcd: ChemNetDistance) -> None:
        """The picture of FCD against reconstruction, with a point for each snapshot that the run kept."""
        if self.output is None or not self.num:
            return
        points = [self._snapshot_point(folder, fcd) for folder in self._comparable_snapshots()]
        self.content["snapshots"] = [vars(point) for point in points if point is not None]
        exact, value = self.content["reconstruction"]["exact_sampled"], self.content["metrics"]["FCD/Test"]
        if value is not None:
            label = Path(str(self.given)).name if not isinstance(self.given, Model) else "model"
            points.append(TradeoffPoint(exact, value, label, self.content["deviations"]["FCD/Test"]))
        curves = published()["tradeoff"] if self._is_moses else None
        write_bytes(
            self._beside("tradeoff.png"), draw_tradeoff([point for point in points if point is not None], curves)
        )

    def _comparable_snapshots(self) -> list[Path]:
        """Those that have the prior that is sampled: a prior fitted to the model's codes is not one of a snapshot's."""
        found = find_snapshots(self.given)
        if self.prior == "normal":
            return found
        fitted = [folder for folder in found if stored.read(folder) is not None]
        if missing := [folder.name for folder in found if folder not in fitted]:
            reason = f"no fitted prior in {', '.join(missing)}: `molvae fit-prior SNAPSHOT DATA` fits one"
            self.content["about"]["reasons"]["snapshots"] = reason
            self.stages.say(f"not in the picture: {reason}")
        return fitted

    def _snapshot_point(self, folder: Path, fcd: ChemNetDistance) -> TradeoffPoint | None:
        """A snapshot's FCD with the first seed and its reconstruction of as many molecules as the model's."""
        self.stages.say(f"snapshot {folder.name}")
        model = load(folder)
        value = fcd(list(model.sample(self.num, seed=self.suite.seed, prior=self.prior, sweeps=self.sweeps)))["value"]
        records = choose(self._records(), self.options.limit or self.num, self.suite.seed)
        back = model.reconstruct(records, sampled=True, seed=self.suite.seed)
        exact = sum(one == other for one, other in zip(records, back, strict=True)) / len(records)
        return None if value is None else TradeoffPoint(exact, value, folder.name)

    @property
    def _is_moses(self) -> bool:
        return isinstance(self.suite.reference, str) and self.suite.reference == "moses"

    def _beside(self, name: str) -> Path:
        assert self.output is not None
        return self.output.with_name(f"{self.output.stem}-{name}")

    def _write_samples(self, seed: int, samples: Sequence[str], kind: str = "samples") -> None:
        if self.output is not None:
            with atomic_write(self._beside(f"{kind}-{seed}.smi")) as file:
                file.writelines(f"{smiles}\n" for smiles in samples)

    def _save(self) -> None:
        if self.output is not None:
            if self._is_moses:
                self.content["published"] = published()
            with atomic_write(self.output) as file:
                file.write(json.dumps(self.content, indent=1, allow_nan=False, ensure_ascii=False) + "\n")

    def _table(self) -> str:
        content, blocks = self.content, []
        if self.num:
            blocks.append(metrics_table(content["metrics"], content["deviations"], content["about"]["reasons"], self._is_moses))
            if "guarded" in content:
                blocks += guarded_lines(content["guarded"], content["metrics"])
            fcd = content["metrics"]["FCD/Test"]
            valid = content["about"]["fcd"].get("FCD/Test", {}).get("generated", 0)
            blocks += reconstruction_lines(content["reconstruction"], fcd, valid, self._is_moses)
        if "latent" in content:
            blocks.append(latent_table(content["latent"]))
        if self._is_moses and self.num:
            blocks.append(f"published: {published()['moses']['source']}")
        return "\n".join(blocks)
