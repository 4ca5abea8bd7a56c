"""The card of a model that ships: where it comes from and every figure of the weights in its folder."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from molvae.model import Model
from molvae.report.comparison import number, plus_minus
from molvae.workflows.provenance import machine

PUBLISHED_PACE = "about 2,900 molecules a second were reported for DD-VAE on MOSES (Titan X)"

Report = Mapping[str, Any]


def headline(reports: Sequence[Report]) -> dict[str, float | None]:
    """The few figures that a list of models shows: reconstruction beside the FCD of each prior."""
    figures: dict[str, float | None] = {}
    if reports:  # reconstruction does not depend on the prior: that of the most molecules
        worth = max((report["reconstruction"] for report in reports), key=lambda worth: worth["num_molecules"])
        figures |= {name: worth[name] for name in ("exact_mean", "exact_sampled")}
    for report in sorted(reports, key=lambda report: report["about"]["samples_per_seed"]):  # the largest one counts
        if report["metrics"]:
            prior = report["about"]["prior"]
            source = f"{prior['name']} prior{_swept(prior)}"
            figures |= {f"{key}, {source}": report["metrics"][key] for key in ("valid", "FCD/Test")}
    return figures


def _swept(prior: Mapping[str, Any]) -> str:
    """What is added to a prior's name where its points took sweeps."""
    return f", {prior['sweeps']} sweeps" if prior.get("sweeps") else ""


def configuration_in(card: str) -> str:
    """The configuration that a card ends with; empty where it has none."""
    _, _, after = card.partition("## Configuration\n\n```toml\n")
    return after.partition("```")[0]


def shipped_card(name: str, model: Model, config: str, reports: Sequence[Report]) -> str:
    """MODEL_CARD.md of a shipped model.

    Args:
        name: its name.
        model: with its provenance in ``about``, that of shipping included.
        config: the run's configuration as TOML; empty where there is none.
        reports: evaluations of the rounded weights, see ``molvae evaluate``.
    """
    metrics = [block for report in reports for block in _evaluation(report)] or ["Not evaluated yet."]
    blocks = [
        f"# {name}", _what(model), _made(model.about), "## Metrics", _of_what(model.about["shipped"]), *metrics, "## Known limits",
        _limits(model, reports), *(["## Configuration", f"```toml\n{config.strip()}\n```"] if config else []),
    ]  # fmt: skip
    return "\n\n".join(blocks) + "\n"


def _what(model: Model) -> str:
    prior = model.fitted_prior
    fitted = "no fitted prior" if prior is None else f"a fitted prior ({prior.kind}, docs/priors.md)"
    return (
        f"A {model.codec.kind} VAE: {model.latent_size} latent dimensions, posterior `{model.vae.posterior.kind}`, prior "
        f"`{model.vae.prior.kind}`, likelihood `{model.vae.likelihood.kind}`, "
        f"{sum(p.numel() for p in model.vae.parameters()):,} parameters, with {fitted}."
    )


def _made(about: Mapping[str, Any]) -> str:
    data, counts, versions = about.get("data", {}), about.get("counts", {}), about.get("versions", {})
    pace = about["shipped"]["pace"]
    hardware = about.get("hardware") or pace.get("hardware", {})
    lines = [
        f"Data: {data.get('name')}, {counts.get('train', 0):,} training records (SHA-256 {str(data.get('train'))[:12]}...).",
        f"Seed {about.get('seed')}, preset `{about.get('preset')}` as changed below.",
        f"molvae {versions.get('molvae')}, torch {versions.get('torch')}, commit {about.get('git_commit') or 'of a release'}.",
        f"Command: `{shlex.join(about.get('command', []))}`",
    ]
    if pace:
        lines.append(
            f"{pace['hours']:.2f} hours for {pace['epochs']:.4g} epochs on {machine(hardware)}: "
            f"{pace['records_per_second']:,.0f} molecules a second "
            f"with validation and checkpoints, {pace['records_per_second_of_steps'] or 0:,.0f} in the steps alone; {PUBLISHED_PACE}."
        )
    elif about.get("training_seconds"):
        lines.append(f"{about['training_seconds'] / 3600:.2f} hours on {machine(hardware)}.")
    return "\n".join(f"- {line}" for line in lines + _before(about))


def _before(about: Mapping[str, Any]) -> list[str]:
    """A line for each run that a fine-tuned model was started from, the last one first."""
    lines, start = [], about.get("started_from")
    while start:
        hours = f" ({start['training_seconds'] / 3600:.2f} hours)" if start.get("training_seconds") else ""
        lines.append(f"Started from a model made by `{shlex.join(start.get('command', []))}`{hours}.")
        start = start.get("started_from")
    return lines


def _of_what(shipping: Mapping[str, Any]) -> str:
    return (
        f"All figures are of the weights in this folder, rounded to bfloat16 and used in float32. Of 2,000 points of the prior "
        f"{shipping['same_strings']:.4f} decode to the string of the weights before rounding."
    )


def _evaluation(report: Report) -> list[str]:
    about, worth = report["about"], report["reconstruction"]
    blocks = []
    if report["metrics"]:
        prior = "the fitted prior" if about["prior"]["name"] == "fitted" else "the prior of training"
        blocks = [f"### Samples of {prior}{_swept(about['prior'])}", _sampled(report), _metrics(report)]
    blocks += [
        f"### Reconstruction of {worth['num_molecules']:,} molecules of {worth['data']}",
        _latent(report.get("latent") or worth),
    ]
    return blocks


def _sampled(report: Report) -> str:
    about = report["about"]
    test = about.get("references", {}).get("Test", {}).get("name", "the reference")
    seeds = ", ".join(map(str, about["seeds"]))
    text = f"{about['samples_per_seed']:,} samples for each of the seeds {seeds}, against {test}; mean ± deviation over the seeds."
    if "guarded" in report:
        text += f" The guard changed {report['guarded']['intervened']:.4f} of the strings."
    return text


def _metrics(report: Report) -> str:
    columns = {"without guard": report} | ({"with guard": report["guarded"]} if "guarded" in report else {})
    rows = [f"| metric | {' | '.join(columns)} |", "|---" * (1 + len(columns)) + "|"]
    for key in report["metrics"]:
        cells = [plus_minus(column["metrics"].get(key), column["deviations"].get(key)) for column in columns.values()]
        rows.append(f"| {key} | {' | '.join(cells)} |")
    return "\n".join(rows)


def _latent(latent: Mapping[str, Any]) -> str:
    names = (
        "exact_mean",
        "exact_sampled",
        "same_molecule_mean",
        "token_accuracy",
        "kl_nats",
        "active_units",
        "latent_size",
    )
    rows = [(name, latent[name]) for name in names]
    rows += [(f"{name} (the decoder's floor)", latent[name]["value"])
             for name in ("FCD_reconstructed_mean", "FCD_reconstructed_sampled") if name in latent]  # fmt: skip
    regression = latent.get("regression")
    if regression is not None:
        what = f"{regression['target']}, {len(regression['splits'])} splits of {regression['num_molecules']:,}"
        rows += [(f"GP test {name} ({what})", (regression[key] or {}).get("mean"))
                 for name, key in (("RMSE", "rmse"), ("log-likelihood", "log_likelihood"))]  # fmt: skip
    cells = [f"| {name} | {value if isinstance(value, int) else number(value)} |" for name, value in rows]
    return "\n".join(["| figure | value |", "|---|---|", *cells])


def _limits(model: Model, reports: Sequence[Report]) -> str:
    limits = [
        "It knows the tokens and the lengths of its data; other molecules are refused or come back changed.",
        "Samples are not checked for stability, toxicity or synthesis. Invalid strings are not hidden: `--guard` or `--valid-only`.",
        "A guarded or fitted sample is another distribution than N(0, I) decoded: figures compare only where prior and guard are the same.",
    ]
    if any(report["about"]["samples_per_seed"] not in (0, 30_000) for report in reports):
        limits.append("FCDs of fewer than the 30,000 samples of the published ones are larger for that alone.")
    return "\n".join(f"- {line}" for line in limits)
