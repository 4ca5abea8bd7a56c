from __future__ import annotations

from pathlib import Path

import pytest
import torch

from molvae.chem.molecules import canonical_or_none
from molvae.data.batches import PixelBatch
from molvae.evaluation.latent import LatentMonitor, latent_figures
from molvae.evaluation.reconstruction import reconstruction_report
from molvae.evaluation.validity import validity_figures
from molvae.model import Model, load
from molvae.schedules import Step
from tests.conftest import pixel_vae


class Echo(Model):
    """Gives every molecule back, except as it is told."""

    answers: dict[str, str] = {}  # noqa: RUF012

    def reconstruct(
        self, records: list[str], *, sampled: bool = False, seed: int = 0, as_written: bool = False
    ) -> list[str]:
        assert as_written
        return records if sampled else [self.answers.get(record, record) for record in records]


def test_exact_is_the_string_and_same_is_the_molecule(finished_run: Path) -> None:
    trained = load(finished_run)
    model = Echo(trained.codec, trained.vae)
    model.answers = {"CCO": "OCC", "CCN": "CC", "CCC": "CC(", "C": "C<unfinished>"}
    report = reconstruction_report(model, ["CCO", "CCN", "CCC", "C", "CO"])
    assert (report["num_molecules"], report["exact_mean"], report["exact_sampled"]) == (5, 0.2, 1.0)
    assert report["same_molecule_mean"] == 0.4
    assert [(f["index"], f["smiles"], f["decoded"]) for f in report["failures"]] == [
        (0, "CCO", "OCC"), (1, "CCN", "CC"), (2, "CCC", "CC("), (3, "C", "C<unfinished>"),
    ]  # fmt: skip
    assert 0.0 <= report["token_accuracy"] <= 1.0


def test_rates_of_nothing_are_null(finished_run: Path) -> None:
    report = reconstruction_report(load(finished_run), [])
    assert report["num_molecules"] == 0 and report["exact_mean"] is None and report["token_accuracy"] is None


def test_validity_counts_strings_and_uniqueness_molecules() -> None:
    figures = validity_figures(["CCO", "OCC", "C1CC", "", "c1ccccc1"])
    assert figures == {"validity": 3 / 5, "uniqueness": 2 / 3}
    assert validity_figures([]) == {"validity": 0.0, "uniqueness": 0.0}
    assert canonical_or_none("OCC") == "CCO"


def test_latent_figures_are_those_of_the_definition() -> None:
    vae = pixel_vae()
    pixels = (torch.rand(40, 6, generator=torch.Generator().manual_seed(0)) > 0.5).double()
    batches = [PixelBatch.whole(pixels[:25]), PixelBatch.whole(pixels[25:])]
    figures = latent_figures(vae, batches)
    with torch.no_grad():
        q = vae.encode(PixelBatch.whole(pixels))
    kl = 0.5 * (q.mean**2 + q.variance - q.variance.log() - 1).sum(1)
    assert figures["kl_nats"] == pytest.approx(float(kl.mean()), rel=1e-9)
    assert figures["active_units"] == int((q.mean.var(0, correction=0) > 0.01).sum())
    right = (vae.decoder(q.mean, PixelBatch.whole(pixels)) > 0) == (pixels > 0.5)
    assert figures["unit_accuracy_mean"] == pytest.approx(float(right.double().mean()))
    assert figures["exact_mean"] == pytest.approx(float(right.all(1).double().mean()))


def test_a_collapsed_posterior_is_warned_of() -> None:
    vae = pixel_vae()
    with torch.no_grad():
        for parameter in vae.posterior.parameters():
            parameter.zero_()
    said: list[str] = []
    monitor = LatentMonitor(vae, lambda: [PixelBatch.whole(torch.ones(4, 6).double())], said.append)
    assert set(monitor(Step(0, 0.0))) == set(LatentMonitor.FIGURES)
    assert len(said) == 1 and "0 of 2 latent dimensions" in said[0]


def test_the_bound_of_validation_lies_above_the_evidence_by_quadrature_and_is_absent_of_a_relaxed_loss() -> None:
    """-ELBO averages to no less than -log p(x), by a sum over a fine grid of a 1-D latent space."""
    vae = pixel_vae(num_pixels=3, latent_size=1, likelihood="bernoulli_pixels")
    batch = PixelBatch.whole(torch.tensor([[1.0, 0.0, 1.0]]).double().expand(4000, 3))
    figures = latent_figures(vae, [batch])
    assert figures["bound_nats"] == pytest.approx(figures["reconstruction_nats"] + figures["kl_nats"], rel=1e-12)
    z = torch.linspace(-10, 10, 4001, dtype=torch.float64)[:, None]
    one = PixelBatch.whole(batch.pixels[:1].expand(len(z), 3))
    with torch.no_grad():
        q = vae.encode(PixelBatch.whole(batch.pixels[:1]))
        loss = vae.likelihood(vae.decoder(z, one), one).loss
    weights = q.log_prob(z)[:, 0].exp() * (z[1, 0] - z[0, 0])
    assert figures["reconstruction_nats"] == pytest.approx(float(weights @ loss), rel=0.02)
    prior = (-0.5 * z[:, 0] ** 2).exp() / (2 * torch.pi) ** 0.5 * (z[1, 0] - z[0, 0])
    assert figures["bound_nats"] > -float(torch.log(prior @ (-loss).exp()))
    assert not {"bound_nats", "reconstruction_nats"} & set(latent_figures(pixel_vae(), [PixelBatch.whole(torch.ones(4, 6).double())]))
