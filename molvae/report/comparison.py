"""Evaluations as tables for a terminal, published figures beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from molvae.report.published import moses_rows, published, tradeoff_at

SHOWN = ("Train", "CharRNN", "AAE", "VAE", "JTN-VAE", "LatentGAN")
"""Rows of the MOSES table that are printed; all of them are in the JSON."""


def metrics_table(
    metrics: Mapping[str, float | None], deviations: Mapping[str, float | None], reasons: Mapping[str, str], beside: bool
) -> str:
    """A line per metric: mean ± standard deviation over seeds, and the published rows if they are comparable.

    Args:
        metrics: means by key.
        deviations: standard deviations by key; None where there is none.
        reasons: of missing values.
        beside: print the published MOSES rows.
    """
    rows = moses_rows() if beside else {}
    head = f"{'':14s}{'this model':>19s}" + "".join(f"{name:>11s}" for name in SHOWN if name in rows)
    lines = [head.rstrip()]
    for key, value in metrics.items():
        cells = [_cell(rows[name].get(key)) for name in SHOWN if name in rows]
        line = f"{key:14s}{plus_minus(value, deviations.get(key)):>19s}" + "".join(f"{cell:>11s}" for cell in cells)
        lines.append(line + (f"  {reasons[key]}" if value is None and key in reasons else ""))
    return "\n".join(lines)


def guarded_lines(guarded: Mapping[str, Any], without: Mapping[str, float | None]) -> list[str]:
    """The metrics with the guard beside those without it, and how often it intervened."""
    lines = [f"with the guard, which changed {number(guarded['intervened'])} of the strings (a mask bends the distribution):"]
    lines.append(f"{'':14s}{'with the guard':>19s}{'without':>11s}")
    for key, value in guarded["metrics"].items():
        lines.append(f"{key:14s}{plus_minus(value, guarded['deviations'].get(key)):>19s}{number(without.get(key)):>11s}")
    return lines


def reconstruction_lines(worth: Mapping[str, Any], fcd: float | None, num_samples: int, beside: bool) -> list[str]:
    """FCD beside reconstruction, never without; and what is published at that reconstruction."""
    exact = worth["exact_sampled"]
    lines = [
        f"FCD/Test {number(fcd)} (n = {num_samples:,}) at exact reconstruction {number(exact)} (z ~ q), "
        f"{number(worth['exact_mean'])} (z = mean) of {worth['num_molecules']:,} molecules"
    ]
    if not beside:
        return lines
    there = tradeoff_at(exact)
    if there:
        lines.append("published at that reconstruction: " + ", ".join(f"{k} {v:.3f}" for k, v in there.items()))
    else:
        lines.append("the published curves of FCD against reconstruction go from 0.70 to 0.95")
    return lines


def latent_table(latent: Mapping[str, Any]) -> str:
    """What a latent space is worth, a line per figure."""
    rows: list[tuple[str, str]] = [
        (f"exact reconstruction of {latent['num_molecules']:,}, z = mean", number(latent["exact_mean"])),
        ("exact reconstruction, z ~ q (published convention)", number(latent["exact_sampled"])),
        ("same molecule, z = mean", number(latent["same_molecule_mean"])),
        ("tokens right under teacher forcing", number(latent["token_accuracy"])),
        ("KL(q | prior), nats a molecule", number(latent["kl_nats"])),
        ("active units", f"{latent['active_units']} of {latent['latent_size']}"),
        ("validity of prior samples", number(latent["prior_validity"])),
        ("FCD of prior samples", _fcd(latent["FCD_prior"])),
        ("FCD of reconstructions, z = mean: the decoder's floor", _fcd(latent["FCD_reconstructed_mean"])),
        ("FCD of reconstructions, z ~ q", _fcd(latent["FCD_reconstructed_sampled"])),
    ]
    lines = [f"{name:58s}{value}" for name, value in rows]
    regression = latent.get("regression")
    if regression is not None:
        lines += _regression_lines(regression)
    return "\n".join(lines)


def images_table(content: Mapping[str, Any]) -> str:
    """What a model of images is, a line per figure: nats an image, the use of the latent space, what comes back."""
    metrics, errors, latent, about = (content[name] for name in ("metrics", "standard_errors", "latent", "about"))
    rows = [
        (f"-log p(x), {about['importance_samples']:,} importance samples", plus_minus(metrics["nll_nats"], errors["nll_nats"])),
        ("-ELBO, an upper bound of it", plus_minus(metrics["bound_nats"], errors["bound_nats"])),
        ("reconstruction, -E log p(x | z)", plus_minus(metrics["reconstruction_nats"], errors["reconstruction_nats"])),
        ("KL(q | prior)", number(metrics["kl_nats"])),
        ("active units", f"{latent['active_units']} of {latent['latent_size']}"),
        (f"exact reconstruction of {latent['num_records']:,}, z = mean", number(latent["exact_mean"])),
        ("exact reconstruction, z ~ q", number(latent["exact_sampled"])),
        ("pixels right, z = mean", number(latent["pixel_accuracy"])),
        ("mean squared error of a pixel, z = mean", number(latent["mean_squared_error"])),
    ]
    lines = [f"nats an image of {about['data']}; ± is a standard error over images", *(f"{name:58s}{value}" for name, value in rows)]
    return "\n".join([*lines, *sorted(set(about["reasons"].values())), *about["notes"]])


def _regression_lines(regression: Mapping[str, Any]) -> list[str]:
    rmse, density = regression["rmse"], regression["log_likelihood"]
    reasons = regression["reasons"]
    lines = [
        f"GP regression of {regression['target']}: {len(regression['splits'])} splits of {regression['num_molecules']:,} "
        f"molecules, {regression['num_inducing']} inducing points, {regression['method']}; ± is a standard error",
        f"  {'test RMSE':28s}{_estimate(rmse)}   (predicting the mean: {regression['rmse_of_mean']['mean']:.3f})",
        f"  {'test log-likelihood':28s}{reasons['log_likelihood'] if density is None else _estimate(density)}",
    ]
    if regression["comparable"]:
        for name, row in published()["zinc250k"]["rows"].items():
            rates = f"RMSE {row['rmse'][0]:.3f} ± {row['rmse'][1]:.3f}, log-likelihood "
            lines.append(f"  {name + ' (published, FITC)':28s}{rates}{row['log_likelihood'][0]:.3f} ± {row['log_likelihood'][1]:.3f}")
    return lines


def plus_minus(value: float | None, deviation: float | None) -> str:
    """``0.1234 ± 0.0012``, the value alone, or ``null``."""
    return number(value) + ("" if deviation is None else f" ± {deviation:.4f}")


def number(value: float | None) -> str:
    """A figure with four decimals, or ``null``."""
    return "null" if value is None else f"{value:.4f}"


def _cell(cell: tuple[float, ...] | None) -> str:
    return "" if cell is None else number(cell[0])


def _estimate(figure: Mapping[str, float | None]) -> str:
    error = figure["standard_error"]
    return f"{figure['mean']:.3f}" + ("" if error is None else f" ± {error:.3f}")


def _fcd(figure: Mapping[str, Any]) -> str:
    if figure["value"] is None:
        return f"null  {figure['reason']}"
    return f"{figure['value']:.4f}  n = {figure['num_generated']:,} against {figure['num_reference']:,}"
