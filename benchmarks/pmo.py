"""PMO: 20 tasks, a budget of labels, area under the mean of the ten best; every label counted, start molecules included.

    make demo
    python benchmarks/pmo.py runs/demo --strategies random graph-ga turbo tanimoto hybrid --budget 1000 --seeds 3 --jobs 2
    python benchmarks/pmo.py runs/demo --strategies hybrid wide=hybrid --set wide.candidates=40 --tasks qed median1
    python benchmarks/pmo.py runs/demo --ablation --seeds 3          # which ingredient of the hybrid earned what
    python benchmarks/pmo.py runs/demo --report                      # tables and picture of what has been run, nothing else

Each run is a campaign of the real engine. Start molecules are drawn at random from a library (ZINC250k), never scored
beforehand. Results grow a run at a time into ``benchmarks/results/pmo.json``. Stop it whenever: runs that are done are
skipped the next time, a run in progress goes on from its folder (``--scratch``). Several of these commands may work side
by side. A strategy's code may have changed since its run: ``--again`` runs it anew.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import hardware
import numpy as np
from pmo_results import Results, Scores, table, timing, write_picture
from pmo_run import CHECKPOINTS, Places, Run, carry_out, prepare_process

from molvae.config import parse_assignment
from molvae.data.cache import file_sha256
from molvae.data.tables import Table
from molvae.distributions.stored import weights_sha256
from molvae.errors import ConfigError
from molvae.files import atomic_write
from molvae.model import find, load
from molvae.optimization.beginning import choose_strategy
from molvae.optimization.start import data_file
from molvae.optimization.strategies import STRATEGIES
from molvae.oracles.tasks import TASKS
from molvae.report.published import pmo_table

STRATEGY_NAMES = ("random", "graph-ga", "turbo", "tanimoto", "hybrid")
WITHOUT_MODEL = ("graph-ga", "screen")
LEAST_DRAWN = 2_000
IDENTITY = ("strategy", "task", "seed", "budget", "batch_size", "model", "library")

ABLATION: Mapping[str, Mapping[str, Any]] = {
    "hybrid": {},
    "without latent": {"latent": False},
    "without genetic": {"genetic": False},
    "without ranking": {"ranking": "none"},
    "plain genetic": {"latent": False, "ranking": "none"},
    "ranking latent": {"ranking": "latent"},
    "ranking both": {"ranking": "both"},
    "greedy": {"acquisition": "greedy"},
    "qlogei": {"acquisition": "qlogei"},
    "without search": {"search": 0},
    "without restarts": {"patience": 1_000_000},
    "with refit": {"refit_every": 200},
}
"""Variants of the hybrid; those whose arguments it does not have (yet) are left out."""


def main() -> None:
    options = read_options()
    results = Results(options.results)
    runs = list(wanted(options))
    if not options.report:
        work(runs, options, results)
    report(runs, options, results)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", type=Path, help="a run or model folder, or a model that ships; not needed by graph-ga")
    parser.add_argument(
        "--strategies", nargs="+", default=None, metavar="[NAME=]STRATEGY", help="NAME is for the tables and --set"
    )
    parser.add_argument(
        "--ablation", nargs="*", default=None, metavar="VARIANT", help="the hybrid without this and that"
    )
    parser.add_argument("--set", nargs="+", action="extend", default=[], metavar="NAME.KEY=VALUE", dest="assignments")
    parser.add_argument("--tasks", nargs="+", default=list(pmo_table().tasks), choices=list(TASKS), metavar="TASK")
    parser.add_argument("--budget", type=int, default=1_000)
    parser.add_argument("--batch-size", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2, help="campaigns at a time, one thread each")
    parser.add_argument("--library", default="zinc250k", help="molecules to begin with")
    parser.add_argument("--scratch", type=Path, default=Path("runs/pmo"), help="campaigns in progress")
    parser.add_argument("--results", type=Path, default=hardware.RESULTS / "pmo.json")
    parser.add_argument("--picture", type=Path, default=None, help="beside the results if not given")
    parser.add_argument(
        "--methods", nargs="*", default=["JT-VAE BO", "NF-BO", "Graph GA", "GP BO", "Genetic GFN", "IVG-np"]
    )
    parser.add_argument("--keep", action="store_true", help="keep the campaigns' folders")
    parser.add_argument("--again", action="store_true", help="run anew what has been run")
    parser.add_argument("--report", action="store_true", help="run nothing")
    return parser.parse_args()


def variants(options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """What each label stands for: a strategy with arguments, as asked for."""
    chosen: dict[str, dict[str, Any]] = {}
    if options.ablation is not None:
        known = STRATEGIES.build({"kind": "hybrid"}).spec
        possible = {name: changes for name, changes in ABLATION.items() if changes.keys() <= known.keys()}
        for name in options.ablation or possible:
            if name not in possible:
                raise ConfigError(
                    "an unknown variant", where="--ablation", got=f"'{name}'", expected=", ".join(possible)
                )
            chosen[name] = {"kind": "hybrid", **possible[name]}
    for named in options.strategies or (() if chosen else STRATEGY_NAMES):
        label, _, kind = named.rpartition("=")
        chosen[label or kind] = {"kind": kind}
    for assignment in options.assignments:
        key, value = parse_assignment(assignment)
        label, _, name = key.rpartition(".")
        if label not in chosen:
            raise ConfigError(
                "no such strategy here", where="--set", got=f"'{label}'", expected=f"one of {', '.join(chosen)}"
            )
        chosen[label][name] = value
    return chosen


def wanted(options: argparse.Namespace) -> Iterator[Run]:
    """All runs, first all tasks and strategies of one seed."""
    model = weights_sha256(find(options.model)) if options.model else None
    library = data_file(options.library, "--library")
    origin = {
        "name": Path(options.library).name,
        "sha256": file_sha256(library),
        "drawn": max(LEAST_DRAWN, options.budget),
    }
    specs = {}
    for label, wish in variants(options).items():
        needs = model is not None and wish["kind"] not in WITHOUT_MODEL
        specs[label] = (choose_strategy(wish, has_model=needs), model if needs else None)
    for seed in range(options.seeds):
        for task in options.tasks:
            for label, (spec, own) in specs.items():
                yield Run(label, spec, task, seed, options.budget, options.batch_size, own, origin)


def work(runs: Sequence[Run], options: argparse.Namespace, results: Results) -> None:
    """Carry out what has not been, and write each down as it ends."""
    done = [] if options.again else [identity(row) for row in results.read()["runs"]]
    left = [run for run in runs if identity(asdict(run)) not in done]
    print(f"{len(runs):,} runs, {len(runs) - len(left):,} of them done", flush=True)
    if not left:
        return
    libraries = draw_libraries(options, left)
    model = plain(find(options.model), options.scratch) if any(run.model for run in left) else None
    about = environment()
    failed = 0
    with ProcessPoolExecutor(options.jobs, get_context("spawn"), prepare_process) as pool:
        waiting = {
            pool.submit(one, run, places(run, options, model, libraries), options.results, options.again): run for run in left
        }
        try:
            for number, future in enumerate(as_completed(waiting), 1):
                run = waiting[future]
                if error := future.exception():
                    failed += 1
                    print(
                        f"{run.label} on {run.task}, seed {run.seed}: {type(error).__name__}: {error}",
                        file=sys.stderr,
                        flush=True,
                    )
                    continue
                if figures := future.result():
                    results.add({**asdict(run), **figures}, about, identity)
                    print(line(run, figures, number, len(left)), flush=True)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in list((pool._processes or {}).values()):  # campaigns survive it, and nobody waits for them
                process.terminate()
            raise
    if failed:
        raise SystemExit(f"{failed} runs failed; the same command goes on with them")


def one(run: Run, where: Places, results: Path, again: bool) -> dict[str, Any] | None:
    """A run in a process of its own, unless another command has done it meanwhile."""
    if not again and any(identity(row) == identity(asdict(run)) for row in Results(results).read()["runs"]):
        return None
    return carry_out(run, where)


def identity(row: Mapping[str, Any]) -> str:
    """What makes two runs the same; an argument that a strategy has been given since then counts with its default."""
    resolved = {**row, "strategy": STRATEGIES.build(row["strategy"]).spec}
    return json.dumps([resolved[name] for name in IDENTITY], sort_keys=True)


def places(run: Run, options: argparse.Namespace, model: Path | None, libraries: Mapping[int, Path]) -> Places:
    """Where a run works."""
    digest = hashlib.sha256(identity(asdict(run)).encode()).hexdigest()[:12]
    folder = options.scratch.resolve() / f"{run.task}-{run.seed}-{run.strategy['kind']}-{digest}"
    used = str(model.resolve()) if model is not None and run.model else None
    return Places(str(folder), used, str(libraries[run.seed]), options.keep)


def plain(model: Path, scratch: Path) -> Path:
    """The model, without a prior that was fitted to it: a run is told apart by the weights, and all rows are to be of N(0, I)."""
    loaded = load(model)
    if loaded.fitted_prior is None:
        return model
    copy = scratch / f"model-{weights_sha256(model)[:12]}"
    if not copy.exists():
        loaded.fitted_prior = None
        loaded.save(copy)
    return copy


def draw_libraries(options: argparse.Namespace, runs: Sequence[Run]) -> dict[int, Path]:
    """A file of molecules for each seed, drawn at random: whoever begins with some of these begins with some of all."""
    library, drawn = data_file(options.library, "--library"), max(LEAST_DRAWN, options.budget)
    found = {
        seed: options.scratch.resolve() / f"library-{file_sha256(library)[:8]}-{seed}-{drawn}.smi"
        for seed in {run.seed for run in runs}
    }
    if all(path.is_file() for path in found.values()):
        return found
    molecules = [smiles for records in Table(library).records() for smiles in records.smiles]
    options.scratch.mkdir(parents=True, exist_ok=True)
    for seed, path in found.items():
        chosen = np.random.default_rng(seed).permutation(len(molecules))[:drawn]
        with atomic_write(path) as file:
            file.writelines(f"{molecules[place]}\n" for place in chosen)
    return found


def environment() -> dict[str, Any]:
    """Command, versions, hardware, commit; of a path only its name."""
    about = hardware.about()
    del about["settings"]
    words = [
        "python",
        f"benchmarks/{Path(sys.argv[0]).name}",
        *(Path(word).name if word.startswith("/") else word for word in sys.argv[1:]),
    ]
    return {**about, "command": shlex.join(words), "threads": 1}


def line(run: Run, figures: Mapping[str, Any], number: int, of: int) -> str:
    """A run for the terminal."""
    area = figures["auc"][str(run.budget)]["top10"]
    return (f"{number}/{of}  {run.task:25s} {run.label:16s} seed {run.seed}  AUC top-10 {area:.4f}  best {figures['best']:.3f}  "
            f"{figures['seconds']:.0f} s ({figures['strategy_seconds']:.0f} strategy, {figures['oracle_seconds']:.0f} oracle)")  # fmt: skip


def report(runs: Sequence[Run], options: argparse.Namespace, results: Results) -> None:
    """Tables and the picture of the runs asked for, as far as they are there."""
    asked = {identity(asdict(run)): run.label for run in runs}
    rows = [{**row, "label": asked[identity(row)]} for row in results.read()["runs"] if identity(row) in asked]
    if not rows:
        return
    rows.sort(key=lambda row: list(asked.values()).index(row["label"]))
    tasks = [task for task in pmo_table().tasks if task in options.tasks]
    points: list[int | str] = [point for point in CHECKPOINTS if point < options.budget]
    for point in [*points, options.budget, *(["stopped"] if options.budget < CHECKPOINTS[-1] else [])]:
        means = "10,000 labels, the curve flat from the last one on" if point == "stopped" else f"{point:,} labels"
        print(f"\nAUC top-10 at {means}; the published at 10,000\n")
        print(table(Scores(rows, point), tasks, options.methods))
    print(f"\n{timing(rows)}")
    write_picture(options.picture or options.results.with_suffix(".png"), rows, options.budget)


if __name__ == "__main__":
    main()
