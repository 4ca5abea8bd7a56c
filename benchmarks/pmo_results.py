"""The result file of the PMO benchmark, its tables and its picture, beside what others have published.

Every sum is taken over the tasks that all seeds of a strategy have; intervals are Student's, over seeds.
"""

from __future__ import annotations

import fcntl
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import t as student

from molvae.files import atomic_write, write_bytes
from molvae.report.plots import as_png
from molvae.report.published import pmo_table

Row = Mapping[str, Any]
PMO_BUDGET = 10_000


class Results:
    """Runs in a file, to which several processes may add.

    Args:
        path: of the file; beside it stands its lock.
    """

    def __init__(self, path: Path):
        self.path = path

    def read(self) -> dict[str, Any]:
        """``environments`` by number, and ``runs``."""
        if not self.path.is_file():
            return {"environments": {}, "runs": []}
        content: dict[str, Any] = json.loads(self.path.read_text("utf-8"))
        return content

    def add(self, row: Row, environment: Row, identity: Callable[[Row], str]) -> None:
        """One more run; an earlier one that has the same ``identity`` goes."""
        with self._locked():
            content = self.read()
            known = content["environments"]
            number = next((key for key, value in known.items() if value == environment), str(len(known)))
            known[number] = environment
            content["runs"] = [old for old in content["runs"] if identity(old) != identity(row)]
            content["runs"].append({**row, "environment": number})
            used = {run["environment"] for run in content["runs"]}
            content["environments"] = {key: value for key, value in known.items() if key in used}
            with atomic_write(self.path) as file:
                file.write(_lines(content))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.with_name(f".{self.path.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _lines(content: Mapping[str, Any]) -> str:
    """JSON with one run a line."""
    runs = ",\n".join(json.dumps(run, allow_nan=False) for run in content["runs"])
    return f'{{"environments": {json.dumps(content["environments"], indent=1)},\n"runs": [\n{runs}\n]}}\n'


def mean_and_half(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean, and half of its 95 % interval; None for fewer than two values."""
    if len(values) < 2:
        return float(np.mean(values)), None
    return float(np.mean(values)), float(
        student.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5
    )


class Scores:
    """The area of each run, by label, task and seed.

    Args:
        runs: of one budget.
        point: labels that the area is taken over, or ``stopped``: 10,000, the curve flat from the last label on.
    """

    def __init__(self, runs: Sequence[Row], point: int | str):
        self.by_label: dict[str, dict[str, dict[int, float]]] = {}
        for run in runs:
            value = run["auc_if_stopped"] if point == "stopped" else run["auc"].get(str(point), {}).get("top10")
            if value is not None:
                self.by_label.setdefault(run["label"], {}).setdefault(run["task"], {})[run["seed"]] = value

    def cell(self, label: str, task: str) -> tuple[float, float | None] | None:
        """Mean over seeds and half of its interval."""
        values = self.by_label[label].get(task)
        return mean_and_half(list(values.values())) if values else None

    def total(self, label: str, tasks: Sequence[str]) -> tuple[float, float | None, int] | None:
        """Mean over seeds of the sum over the tasks, half of its interval, and how many seeds have all tasks."""
        found = self.by_label[label]
        if any(task not in found for task in tasks):
            return None
        seeds = sorted(set.intersection(*(set(found[task]) for task in tasks)))
        if not seeds:
            return None
        return (*mean_and_half([sum(found[task][seed] for task in tasks) for seed in seeds]), len(seeds))


def table(scores: Scores, tasks: Sequence[str], methods: Sequence[str]) -> str:
    """Tasks by strategies, then the published methods, and the sums over 20 and over 16 tasks."""
    published = pmo_table()
    labels = list(scores.by_label)
    lines = [
        "| task | " + " | ".join(f"**{label}**" for label in labels) + " | " + " | ".join(map(marked, methods)) + " |",
        "|---" * (1 + len(labels) + len(methods)) + "|",
    ]
    for task in tasks:
        own = [_shown(scores.cell(label, task)) for label in labels]
        others = [f"{published.rows[task][method]:.3f}" for method in methods]
        lines.append(f"| {task}{' †' if task in published.changed else ''} | " + " | ".join(own + others) + " |")
    for name, chosen in (("sum of 20", published.tasks), ("sum of 16 (no †)", published.unchanged)):
        own = [_shown(scores.total(label, chosen)) for label in labels]
        others = [_published_sum(method, chosen) for method in methods]
        lines.append(f"| **{name}** | " + " | ".join(own + others) + " |")
    return "\n".join(lines)


def marked(method: str) -> str:
    """A published method's name, with a star if it scores a library with the task's oracle before it counts."""
    return f"{method} *" if method in pmo_table().prescreened else method


def _published_sum(method: str, tasks: Sequence[str]) -> str:
    published = pmo_table()
    if method in published.old_oracle and any(task in published.changed for task in tasks):
        return "(old oracle)"
    return f"{published.total(method, tasks):.3f}"


def _shown(cell: tuple[Any, ...] | None) -> str:
    if cell is None:
        return ""
    return f"{cell[0]:.3f}" + ("" if cell[1] is None else f" ± {cell[1]:.3f}")


def draw(runs: Sequence[Row], budget: int) -> bytes:
    """Bars of the sums over 16 and 20 tasks beside the published ones, and a dot for each seed of each task.

    A run shorter than PMO's is shown as PMO counts it, flat from its end to 10,000 calls: what it would have at least.
    """
    published = pmo_table()
    scores = Scores(runs, PMO_BUDGET if budget >= PMO_BUDGET else "stopped")
    figure = Figure(figsize=(13, 10), layout="constrained")
    upper, lower = figure.subfigures(2, 1, height_ratios=(1.0, 1.25))
    flat = "" if budget >= PMO_BUDGET else f": {budget:,} labels, the curve flat from there; published: {PMO_BUDGET:,} labels"
    figure.suptitle(f"AUC top-10 at {PMO_BUDGET:,} labels{flat}", fontsize=11)
    axes = upper.subplots(1, 2)
    for axis, (name, tasks) in zip(
        axes, (("16 tasks", published.unchanged), ("20 tasks", published.tasks)), strict=True
    ):
        bars = [(method, published.total(method, tasks), 0.0, "0.75") for method in published.methods
                if len(tasks) == len(published.unchanged) or method not in published.old_oracle]  # fmt: skip
        for number, label in enumerate(scores.by_label):
            if total := scores.total(label, tasks):
                bars.append((label, total[0], total[1] or 0.0, f"C{number % 10}"))
        bars.sort(key=lambda bar: bar[1])
        axis.barh(
            [bar[0] for bar in bars],
            [bar[1] for bar in bars],
            xerr=[bar[2] for bar in bars],
            color=[bar[3] for bar in bars],
        )
        axis.set_title(f"sum of {name}", fontsize=10)
        axis.tick_params(labelsize=8)
    _draw_tasks(lower.subplots(), scores)
    return as_png(figure)


def _draw_tasks(axis: Any, scores: Scores) -> None:
    published = pmo_table()
    places = {task: place for place, task in enumerate(published.tasks)}
    for method, marker in (("NF-BO", "_"), ("Graph GA", "|")):
        axis.plot([*places.values()], [published.rows[task][method] for task in places], marker, color="0.4", markersize=12,
                  label=f"{method}, published")  # fmt: skip
    labels = list(scores.by_label)
    for number, label in enumerate(labels):
        shift = 0.7 * ((number + 0.5) / len(labels) - 0.5)
        found = [(places[task] + shift, value) for task, of in scores.by_label[label].items() for value in of.values()]
        axis.plot(*zip(*found, strict=True), "o", color=f"C{number % 10}", markersize=3, label=label)
    names = [f"{task} †" if task in published.changed else task for task in places]
    axis.set_xticks([*places.values()], names, rotation=55, ha="right", fontsize=8)
    axis.set_ylim(0, 1)
    axis.grid(axis="y", alpha=0.3)
    axis.legend(fontsize=7, ncols=4)


def write_picture(path: Path, runs: Sequence[Row], budget: int) -> None:
    """The picture of `draw`."""
    write_bytes(path, draw(runs, budget))


def timing(runs: Sequence[Row]) -> str:
    """Seconds of each strategy's runs (of those that were not interrupted), and where its best molecules came from."""
    by_label: dict[str, list[Row]] = {}
    for run in runs:
        by_label.setdefault(run["label"], []).append(run)
    lines = [
        "| strategy | runs | seconds | of the strategy | of the oracle | of the processor | the 100 best came from |",
        "|---|---|---|---|---|---|---|",
    ]
    for label, of in by_label.items():
        whole = [run for run in of if not run["resumed"]]
        columns = ("seconds", "strategy_seconds", "oracle_seconds", "processor_seconds")
        means = [f"{np.mean([run[column] for run in whole]):.1f}" if whole else "" for column in columns]
        found: Counter[str] = sum((Counter(run["sources_of_top100"]) for run in of), Counter())
        shares = ", ".join(f"{name} {count / found.total():.0%}" for name, count in found.most_common())
        lines.append(f"| {label} | {len(of)} | {' | '.join(means)} | {shares} |")
    return "\n".join(lines)
