"""Tables (Markdown) and the picture of benchmarks/moses.py and benchmarks/zinc.py."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from model_tables import figures, prior_rows
from priors import AT_MEAN, AT_SAMPLE, BAR, NORMAL

from molvae.report.plots import as_png
from molvae.report.tradeoff import TradeoffPoint, plot_tradeoff

PUBLISHED_PACE = ("DD-VAE on MOSES, published (Titan X)", 2900)
PRIOR_COLUMNS = (
    "FCD/Test",
    "excess",
    "ratio",
    "valid",
    "valid_guarded",
    "intervened",
    "Novelty",
    "nearest_distance_ratio",
    "held_out_nats",
)

Content = Mapping[str, Any]


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def number(value: Any, deviation: float | None = None) -> str:
    """Three decimals; nothing for nothing."""
    if value is None:
        return ""
    return f"{value:.3f}" + ("" if deviation is None else f" ± {deviation:.3f}")


def variants(content: Content) -> list[tuple[str, Content, Mapping[str, float | None], Content | None]]:
    """Every model with every prior, with the guard and without: a name, the figures, their deviations, the reconstruction."""
    found = []
    for label, model in content["models"].items():
        samples = figures(model, "samples")
        worth = samples.get("normal", {}).get("reconstruction")
        for prior, piece in samples.items():
            shown = (
                "N(0, I)"
                if prior == "normal"
                else f"fitted ({model['pieces']['samples fitted']['about']['settings']['kind']})"
            )
            found.append((f"{label}, {shown}", piece["metrics"], piece["deviations"], worth))
            if "guarded" in piece:
                guarded = piece["guarded"]
                name = f"{label}, {shown}, guard ({guarded['intervened']:.2f} changed)"
                found.append((name, guarded["metrics"], guarded["deviations"], worth))
    return found


def sizes(content: Content) -> str:
    """A line for each model: how many samples, seeds and test molecules its figures are of."""
    lines = []
    for label, model in content["models"].items():
        piece = model["pieces"].get("samples normal")
        if piece is not None:
            settings, worth = piece["about"]["settings"], piece["figures"]["reconstruction"]
            lines.append(
                f"- {label}: {settings['n']:,} samples for each of {len(settings['seeds'])} seeds, mean ± deviation over them; "
                f"{worth['num_molecules']:,} test molecules; the guard {'tried, too' if settings['guard'] else 'left out'}"
            )
    return "\n".join(lines)


def metrics_table(
    content: Content, columns: Sequence[str], published: Mapping[str, Mapping[str, Sequence[float]]]
) -> str:
    """Exact reconstruction first, then the metrics; molvae's rows above the published ones."""
    rows = []
    for name, metrics, deviations, worth in variants(content):
        exact = [number(None if worth is None else worth[key]) for key in ("exact_sampled", "exact_mean")]
        rows.append([name, *exact, *(number(metrics.get(key), deviations.get(key)) for key in columns)])
    for name, cells in published.items():
        rows.append([f"{name} (published)", "", "", *(number(*cells[key]) if key in cells else "" for key in columns)])
    return markdown(["model", "exact, z ~ q", "exact, z = mean", *columns], rows)


def prior_table(content: Content) -> str:
    """Every prior of every model."""
    rows = []
    for label, model in content["models"].items():
        for name, row in prior_rows(model).items():
            cells = (number(row.get(key), row.get("deviations", {}).get(key)) for key in PRIOR_COLUMNS)
            rows.append([label, name, *cells, number(row.get("seconds_to_fit"))])
    return markdown(["model", "prior", *PRIOR_COLUMNS, "seconds to fit"], rows)


def training_table(content: Content) -> str:
    """Pace, with the published one in the last line."""
    rows = []
    for label, model in content["models"].items():
        for piece in figures(model, "training").values():
            hardware = piece.get("hardware", {})
            machine = (
                ", ".join(hardware.get("gpus", [])) or f"{hardware.get('cores')} cores, {hardware.get('processor')}"
            )
            steps, whole = (
                f"{piece[key]:,.0f}" if piece.get(key) else ""
                for key in ("records_per_second_of_steps", "records_per_second")
            )
            share = piece.get("card", {}).get("share_of_limit")
            cells = [
                f"{piece.get('parameters', 0):,}",
                number(piece.get("epochs")),
                number(piece.get("hours")),
                steps,
                whole,
                machine,
            ]
            rows.append([label, *cells, "" if share is None else f"{share:.2f}"])
    rows.append([PUBLISHED_PACE[0], "", "", "", f"{PUBLISHED_PACE[1]:,}", "", "", ""])
    head = [
        "model",
        "parameters",
        "epochs",
        "hours",
        "molecules/s in the steps",
        "molecules/s in all",
        "hardware",
        "share of the card's limit",
    ]
    return markdown(head, rows)


CURVE = (
    "exact_sampled",
    "exact_mean",
    "valid",
    "FCD/Test",
    "SNN/Test",
    "Scaf/Test",
    "Filters",
    "Novelty",
    "floor",
    "FCD fitted",
    "valid fitted",
    "kl_nats",
)


def curve_points(model: Content) -> list[dict[str, Any]]:
    """The snapshots of a model, each as one flat row."""
    points = []
    for piece in sorted(figures(model, "curve").values(), key=lambda piece: piece["step"]):
        latent = piece["latent"]
        floors = [latent[f"FCD_reconstructed_{name}"]["value"] for name in ("mean", "sampled")]
        floor = min((value for value in floors if value is not None), default=None)
        fitted = piece["fitted"]
        row = {**piece["metrics"], **latent, "floor": floor, "FCD fitted": fitted.get("FCD/Test"), "valid fitted": fitted.get("valid")}
        points.append({"step": piece["step"], "hours": piece["hours"], **{key: row.get(key) for key in CURVE}})
    return points


def curve_table(content: Content) -> str:
    """Every figure against the hours of training."""
    rows = []
    for label, model in content["models"].items():
        for point in curve_points(model):
            rows.append([label, f"{point['step']:,}", number(point["hours"]), *(number(point[key]) for key in CURVE)])
    return markdown(["model", "step", "hours", *CURVE], rows)


def bars_table(bars: Sequence[tuple[str, str, float | None, bool | None]]) -> str:
    """What was to be shown: model, bar, value, whether it was."""
    verdict = {True: "yes", False: "no", None: "not measured"}
    return markdown(
        ["model", "bar", "value", "met"], [[m, bar, number(value), verdict[met]] for m, bar, value, met in bars]
    )


def best_fitted(model: Content) -> tuple[str, Mapping[str, Any]] | None:
    """The fitted prior with the lowest FCD in the table of priors; what was measured on its samples."""
    fits = {name: row for name, row in prior_rows(model).items() if name not in (NORMAL, AT_MEAN, AT_SAMPLE)}
    return min(fits.items(), key=lambda item: item[1]["FCD/Test"]) if fits else None


def prior_bars(label: str, model: Content, validity: float) -> list[tuple[str, str, float | None, bool | None]]:
    """The bars that hold for any model, of its best fitted prior."""
    best = best_fitted(model)
    if best is None:
        return [(label, "a fitted prior", None, None)]
    name, row = best
    asked = [
        ("excess over the floor, of N(0, I)'s, at most 1/3", "ratio", lambda x: x <= BAR),
        (f"validity without guard, at least {validity:g}", "valid", lambda x: x >= validity),
        ("validity with guard, at least 0.999", "valid_guarded", lambda x: x >= 0.999),
    ]
    return [
        (label, f"{name} (novelty {number(row.get('Novelty'))}): {what}", row.get(key), None if row.get(key) is None else bool(test(row[key])))
        for what, key, test in asked
    ]


PRIORS = ("N(0, I)", "fitted prior")
"""Series of the picture: a point for each model."""


def picture(content: Content, published: Mapping[str, Any] | None) -> bytes:
    """FCD against reconstruction, the priors as bars, and the curves against time (PNG)."""
    models = content["models"].values()
    panels: list[Callable[[Axes], object]] = [lambda axis: plot_tradeoff(axis, series(content), published, PRIORS)]
    if any(prior_rows(model) for model in models):
        panels.append(lambda axis: draw_priors(axis, content))
    if any(curve_points(model) for model in models):
        panels.append(lambda axis: draw_curves(axis, content))
    num_bars = max(len(prior_rows(model)) for model in models)
    figure = Figure(figsize=(6 * len(panels), max(5.0, 0.45 * num_bars)), layout="constrained")
    for draw, axis in zip(panels, figure.subplots(1, len(panels), squeeze=False)[0], strict=True):
        draw(axis)
    return as_png(figure)


def tradeoff_picture(content: Content, published: Mapping[str, Any] | None) -> bytes:
    """FCD against reconstruction alone (PNG)."""
    figure = Figure(figsize=(7.5, 5.0), layout="constrained")
    plot_tradeoff(figure.subplots(), series(content), published, PRIORS)
    return as_png(figure)


def series(content: Content) -> dict[str, list[TradeoffPoint]]:
    """A colour for each prior, a point for each model; the snapshots of a run joined by a line."""
    found: dict[str, list[TradeoffPoint]] = {}
    for label, model in content["models"].items():
        samples = figures(model, "samples")
        worth = samples.get("normal", {}).get("reconstruction")
        for prior, piece in samples.items():
            if worth is not None and piece["metrics"]["FCD/Test"] is not None:
                shown = PRIORS[prior != "normal"]
                point = TradeoffPoint(
                    worth["exact_sampled"], piece["metrics"]["FCD/Test"], label, piece["deviations"].get("FCD/Test")
                )
                found.setdefault(shown, []).append(point)
        points = [TradeoffPoint(point["exact_sampled"], point["FCD/Test"], f"{point['hours'] or 0:.1f} h")
                  for point in curve_points(model) if point["FCD/Test"] is not None]  # fmt: skip
        if points:
            found[f"{label}, snapshots"] = points
    return found


def draw_priors(axis: Axes, content: Content) -> None:
    """A bar for each prior of each model; the dashed line is the decoder's floor."""
    names = list(dict.fromkeys(name for model in content["models"].values() for name in prior_rows(model)))
    shown = [name for name in names if name not in (AT_MEAN, AT_SAMPLE)]
    width = 0.8 / max(1, len(content["models"]))
    for number_, (label, model) in enumerate(content["models"].items()):
        rows = prior_rows(model)
        at = [i + number_ * width for i, name in enumerate(shown) if name in rows]
        axis.barh(
            at, [rows[name]["FCD/Test"] for name in shown if name in rows], width, color=f"C{number_}", label=label
        )
        floors = [rows[name]["FCD/Test"] for name in (AT_MEAN, AT_SAMPLE) if name in rows]
        if floors:
            axis.axvline(min(floors), color=f"C{number_}", linestyle="--", linewidth=1)
    lines = ["\n".join(textwrap.wrap(name, 36)) for name in shown]
    axis.set_yticks([i + 0.4 - width / 2 for i in range(len(shown))], lines, fontsize=7)
    axis.invert_yaxis()
    axis.set_xlabel("FCD/Test")
    axis.set_title("priors; dashed: decoded test codes", fontsize=10)
    if shown:
        axis.legend(fontsize=8)


def draw_curves(axis: Axes, content: Content) -> None:
    """FCD (full), and exact reconstruction (dotted, on the right), against hours."""
    right = axis.twinx()
    for number_, (label, model) in enumerate(content["models"].items()):
        points = [point for point in curve_points(model) if point["hours"] is not None]
        for key, style in (("FCD/Test", "-o"), ("FCD fitted", "--s"), ("floor", "-.")):
            line = [(point["hours"], point[key]) for point in points if point[key] is not None]
            if line:
                axis.plot(*zip(*line, strict=True), style, color=f"C{number_}", markersize=4, label=f"{label}: {key}")
        right.plot([p["hours"] for p in points], [p["exact_sampled"] for p in points], ":", color=f"C{number_}")
    axis.set_xlabel("hours of training")
    axis.set_ylabel("FCD/Test")
    right.set_ylabel("exact reconstruction, z ~ q (dotted)")
    if axis.lines:
        axis.set_yscale("log")
        axis.legend(fontsize=7)
