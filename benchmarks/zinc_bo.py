"""The published protocol on ZINC250k: how well a latent space predicts penalised logP, and what latent optimisation finds in it.

    molvae train zinc250k --out runs/zinc
    python benchmarks/zinc_bo.py runs/zinc [--splits 10] [--seeds 10] [--jobs 1]

Latent points (z = mean) of all molecules of ZINC250k that the model can read; the target is the sum of z-scored logP, -SA and -ring
penalty with the statistics of that set. A sparse GP with 500 inducing points (FITC, as published) on ten 90/10
splits: test log-likelihood and RMSE. Then a campaign for each seed, begun with the 224,510 labels of the split of that
seed, which are given: five rounds, in each 60 latent points by expected improvement, the first 50 that mean a molecule
that is not known are asked about. Unlike the published protocol a molecule that is known takes no place among the 50, and a
batch is chosen by joint draws. A second row of campaigns (``decoded first``) is not the published protocol: it decodes 250
points a round and chooses 50 of their molecules. The target is unbounded (long carbon chains win): for comparison only.

Results grow a split and a campaign at a time in ``benchmarks/results/zinc_bo.json``; what is there is not done again. What
is computed once (terms, codes) and the campaigns are kept in ``--scratch``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hardware
import numpy as np
from matplotlib.figure import Figure
from zinc_protocol import best_so_far, mean_and_interval, optimization_table, regression_table, standing
from zinc_runs import KEPT, PROPOSALS, ROUNDS, STRATEGIES, Work, material, perform

from molvae.execution import Workers
from molvae.files import write_bytes
from molvae.report.plots import as_png
from molvae.report.published import published


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--data", default="zinc250k")
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--strategies", nargs="*", choices=list(STRATEGIES), default=list(STRATEGIES))
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--scratch", type=Path, default=Path("runs/zinc_bo"))
    parser.add_argument("--results", default="zinc_bo", help="name of the results in benchmarks/results")
    options = parser.parse_args()
    facts = material(options.model, options.data, str(options.scratch), options.jobs).facts
    print(
        f"{facts['molecules']:,} molecules; left out: {facts['left_out']}; {facts['unreadable_for_the_model']} the model cannot read"
    )
    result = begun(options, facts)
    for work, done in performed(todo(options, result), options.jobs):
        place = result["splits"] if work.strategy is None else result["campaigns"].setdefault(work.strategy, [])
        place.append(done)
        place.sort(key=lambda each: each["seed"])
        save(options.results, result)
        print(f"{'split' if work.strategy is None else work.strategy} {work.seed}: {brief(done)}", flush=True)
    save(options.results, result)
    print(tables(result))


def begun(options: argparse.Namespace, facts: dict[str, Any]) -> dict[str, Any]:
    """The results so far, or empty ones; those of another model are not added to.

    Raises:
        SystemExit: the results are of another model.
    """
    path = hardware.RESULTS / f"{options.results}.json"
    old = json.loads(path.read_text("utf-8")) if path.is_file() else None
    if old is not None and old["facts"]["model_weights_sha256"] != facts["model_weights_sha256"]:
        raise SystemExit(f"{path} has results of another model: move it away, or name others with --results")
    settings = {name: str(value) if isinstance(value, Path) else value for name, value in vars(options).items()}
    return {
        "about": hardware.about(**settings),
        "protocol": {
            "surrogate": "FITC, 500 inducing points; a pass of SVGP, 80 steps up the evidence of 20,000 points, p(u | y) of all",
            "regression": "90/10 splits by seed, targets as they are", "rounds": ROUNDS,
            "campaigns": "targets half-ranked; labels known before are given, a class of their own, and cost nothing",
            "strategies": STRATEGIES, "points": PROPOSALS, "labels_a_round": KEPT,
        },
        "facts": facts, "model": model_card(options.model), "published": published()["zinc250k"],
        "splits": old["splits"] if old else [], "campaigns": old["campaigns"] if old else {},
    }  # fmt: skip


def model_card(model: str) -> dict[str, Any]:
    """Where the model came from, as it says itself."""
    import molvae

    about = molvae.load(model).about
    return {"path": Path(model).name, "about": about}


def todo(options: argparse.Namespace, result: dict[str, Any]) -> list[Work]:
    """What is not done yet: splits first, then the campaigns of each seed."""
    common = (options.model, options.data, str(options.scratch))
    done = {(None, each["seed"]) for each in result["splits"]}
    done |= {(name, each["seed"]) for name, runs in result["campaigns"].items() for each in runs}
    wanted = [(None, seed) for seed in range(options.splits)]
    wanted += [(name, seed) for seed in range(options.seeds) for name in options.strategies]
    return [Work(*common, seed, name) for name, seed in wanted if (name, seed) not in done]


def performed(works: list[Work], jobs: int) -> Iterator[tuple[Work, dict[str, Any]]]:
    """Each piece of work with what came of it."""
    if jobs <= 1:
        yield from ((work, perform(work)) for work in works)
        return
    with Workers(jobs) as workers:
        for work, outcome in zip(works, workers.run(perform, works), strict=True):
            if outcome.value is None:
                print(f"{work}: {outcome.status}, {outcome.reason}", flush=True)
            else:
                yield work, outcome.value


def brief(done: dict[str, Any]) -> str:
    if "rmse" in done:
        return f"RMSE {done['rmse']:.4f}, log-likelihood {done['log_likelihood']:.4f}, {done['seconds']:.0f} s"
    return f"{done['labels']} labels, best {done['best'][0][1]:.2f}, {done['seconds']['all']:.0f} s"


def save(name: str, result: dict[str, Any]) -> None:
    """Write the results with their summary, and the picture."""
    result["summary"] = {
        **{
            key: mean_and_interval([each[key] for each in result["splits"]])
            for key in ("rmse", "log_likelihood", "rmse_of_mean")
        },
        "campaigns": {strategy: standing(runs) for strategy, runs in result["campaigns"].items()},
    }
    hardware.write(name, result)
    if result["campaigns"]:
        write_bytes(hardware.RESULTS / f"{name}.png", picture(result))


def tables(result: dict[str, Any]) -> str:
    rows = result["published"]
    regression = regression_table(result["splits"], rows["rows"])
    return f"{regression}\n\n{optimization_table(result['summary']['campaigns'], rows['optimization']['rows'])}"


def picture(result: dict[str, Any]) -> bytes:
    """The best so far over the labels of each campaign, their mean, and the published tops."""
    figure = Figure(figsize=(7.0, 4.2), layout="constrained")
    axis = figure.subplots()
    for number, (name, runs) in enumerate(result["campaigns"].items()):
        curves = np.array([best_so_far(run["values"], ROUNDS * KEPT) for run in runs if run["values"]])
        places = np.arange(1, ROUNDS * KEPT + 1)
        axis.plot(places, curves.T, color=f"C{number}", linewidth=0.6, alpha=0.5)
        axis.plot(places, curves.mean(0), color=f"C{number}", linewidth=2.0, label=f"{name}: mean of {len(curves)}")
    for number, (name, row) in enumerate(result["published"]["optimization"]["rows"].items()):
        axis.axhline(row["top"][0], color=f"{0.2 + 0.13 * number:.2f}", linestyle="--", linewidth=1,
                     label=f"{name} (published, best of ten runs)")  # fmt: skip
    axis.set_xlabel(f"labels paid for, {KEPT} a round")
    axis.set_ylabel("penalised logP, best so far")
    axis.grid(alpha=0.3)
    axis.legend(fontsize=7)
    return as_png(figure)


if __name__ == "__main__":
    main()
