"""The evaluation against molsets 0.3.1: time, memory and values; its cost by size; the sampling floor.

    molvae data fetch moses
    python benchmarks/evaluation.py --scratch FOLDER                     everything, about an hour on two cores
    python benchmarks/evaluation.py --scratch FOLDER --sizes 3000 --compare 3000 --skip-floor

molsets cannot be imported as it is: it is put into FOLDER without its requirements and three lines of that copy are
mended, none of them numerical. Generated sets are random training molecules. Every measurement is a process of its
own; the reference's statistics are there on both sides (molsets ships its own). Memory is the sum over a process and
its children, read four times a second, so pages that they share count more than once.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import hardware
import numpy as np
import psutil

from molvae.data.cache import cache_folder
from molvae.data.sources import resolve
from molvae.evaluation.inputs import read_molecules

MENDED = {
    "metrics/utils.py": (
        ("_mcf.append(_pains, sort=True)", "pd.concat([_mcf, _pains], sort=True)"),
        ("np.NaN", "np.nan"),
    ),
    "metrics/SA_Score/sascorer.py": (("from rdkit.six import iteritems", "iteritems = dict.items"),),
}
TRAIN_ROW = {  # the MOSES table's Train row; its printed novelty of 1 is an error
    "valid": 1.0, "unique@1000": 1.0, "unique@10000": 1.0, "FCD/Test": 0.008, "FCD/TestSF": 0.4755, "SNN/Test": 0.6419,
    "SNN/TestSF": 0.5859, "Frag/Test": 1.0, "Frag/TestSF": 0.9986, "Scaf/Test": 0.9907, "Scaf/TestSF": 0.0,
    "IntDiv": 0.8567, "IntDiv2": 0.8508, "Filters": 1.0, "Novelty": 0.0,
}  # fmt: skip
OURS = """
import json, sys
from molvae.evaluation import evaluate
if __name__ == "__main__":
    report = evaluate(sys.argv[1], num_workers=int(sys.argv[2]))
    print(json.dumps({"metrics": report.metrics, "seconds": report.about["seconds"], "nulls": report.about["reasons"]}))
"""
THEIRS = """
import json, sys, warnings
warnings.simplefilter("ignore")
from moses.metrics.metrics import get_all_metrics
if __name__ == "__main__":
    generated = open(sys.argv[1]).read().split()
    metrics = get_all_metrics(generated, n_jobs=int(sys.argv[2]), device="cpu", batch_size=512)
    print(json.dumps({"metrics": {key: float(value) for key, value in metrics.items()}}))
"""


def main() -> None:
    arguments = parse()
    arguments.scratch.mkdir(parents=True, exist_ok=True)
    resolve("moses")
    about = hardware.about(seed=arguments.seed, num_workers=arguments.num_workers)
    result: dict[str, Any] = {"about": about, "runs": []}
    training = read_molecules("moses", "train")[1]
    files = {size: sample(training, size, arguments) for size in {*arguments.sizes, *arguments.compare}}
    del training
    if not arguments.skip_first_run:
        result["first_run"] = first_run(files[min(files)], arguments)
    molsets = prepare_molsets(arguments.scratch) if arguments.compare else None
    for size in sorted(files):
        run: dict[str, Any] = {"size": size, "molvae": measure(OURS, files[size], arguments, {})}
        if size in arguments.compare:
            run["molsets"] = measure(THEIRS, files[size], arguments, {"PYTHONPATH": str(molsets)})
        result["runs"].append(run)
        print(line(run), flush=True)
        hardware.write("evaluation", result)
    print(summary(result))
    if not arguments.skip_floor and 30_000 in files:
        print(floor(next(run for run in result["runs"] if run["size"] == 30_000)["molvae"]["metrics"]))
    print(hardware.write("evaluation", result))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scratch", type=Path, required=True, help="folder for molsets and the samples")
    parser.add_argument("--sizes", type=int, nargs="*", default=[3000, 10_000, 30_000, 100_000])
    parser.add_argument("--compare", type=int, nargs="*", default=[3000, 10_000, 30_000], help="sizes for molsets too")
    parser.add_argument("--num-workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--skip-first-run", action="store_true", help="do not measure a run without a cache")
    parser.add_argument("--skip-floor", action="store_true")
    return parser.parse_args()


def sample(training: list[str], size: int, arguments: argparse.Namespace) -> Path:
    """A file of random training molecules (MOSES files are not in random order)."""
    path: Path = arguments.scratch / f"train_{size}_{arguments.seed}.smi"
    path.write_text("\n".join(random.Random(arguments.seed).sample(training, size)) + "\n")
    return path


def prepare_molsets(scratch: Path) -> Path:
    """A folder with molsets 0.3.1, mended, for PYTHONPATH."""
    folder = scratch / "molsets"
    if not (folder / "moses").is_dir():
        options = ["--quiet", "--no-deps", "--only-binary", ":all:", "--target", str(folder)]
        subprocess.run([sys.executable, "-m", "pip", "install", *options, "molsets==0.3.1"], check=True)
    for name, pairs in MENDED.items():
        path = folder / "moses" / name
        source = path.read_text()
        for broken, mended in pairs:
            source = source.replace(broken, mended)
        path.write_text(source)
    return folder


def measure(script: str, file: Path, arguments: argparse.Namespace, environment: dict[str, str]) -> dict[str, Any]:
    """Run a script in a process of its own: what it prints, wall seconds, peak memory."""
    command = [sys.executable, "-c", script, str(file), str(arguments.num_workers)]
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment})
    watch = Watch(process.pid)
    watch.start()
    output, _ = process.communicate()
    wall = time.perf_counter() - began
    watch.over.set()
    watch.join()
    if process.returncode:
        raise SystemExit(f"{command[:2]} ended with status {process.returncode}")
    found = json.loads(output.splitlines()[-1])
    return {"wall_seconds": round(wall, 2), "peak_memory_gb": round(watch.peak / 1e9, 2), **found}


class Watch(threading.Thread):
    """The most memory that a process and its children had together."""

    def __init__(self, pid: int):
        super().__init__(daemon=True)
        self.root, self.peak, self.over = psutil.Process(pid), 0, threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.25):
            total = 0
            try:
                for process in [self.root, *self.root.children(recursive=True)]:
                    total += process.memory_info().rss
            except psutil.NoSuchProcess:
                continue
            self.peak = max(self.peak, total)


def first_run(file: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """A run with the data but without anything computed from them, and the same again."""
    cache = arguments.scratch / f"cache_{os.getpid()}"
    cache.mkdir()
    (cache / "data").symlink_to(cache_folder("data"))
    first, second = (measure(OURS, file, arguments, {"MOLVAE_CACHE": str(cache)}) for _ in range(2))
    more = round(first["wall_seconds"] - second["wall_seconds"], 1)
    print(f"without a cache: {more} s more than with one", flush=True)
    return {"seconds_more": more, "first": first["wall_seconds"], "second": second["wall_seconds"]}


def line(run: dict[str, Any]) -> str:
    ours, theirs = run["molvae"], run.get("molsets")
    text = f"{run['size']:>7,} molecules: {ours['wall_seconds']:7.1f} s, {ours['peak_memory_gb']:.1f} GB"
    if theirs is None:
        return text
    apart = {key: abs(value - ours["metrics"][key]) for key, value in theirs["metrics"].items()}
    worst = max(apart, key=lambda key: apart[key])
    ratio = theirs["wall_seconds"] / ours["wall_seconds"]
    text += f"; molsets {theirs['wall_seconds']:7.1f} s, {theirs['peak_memory_gb']:.1f} GB; {ratio:.1f} times faster"
    return f"{text}; furthest apart: {worst} by {apart[worst]:.1e}"


def summary(result: dict[str, Any]) -> str:
    """How straight the line of cost against size is."""
    sizes = np.array([run["size"] for run in result["runs"]], dtype=np.float64)
    seconds = np.array([run["molvae"]["wall_seconds"] for run in result["runs"]])
    if len(sizes) < 3:
        return ""
    slope, start = np.polyfit(sizes, seconds, 1)
    off = np.abs(start + slope * sizes - seconds).max() / seconds.max()
    result["line"] = {"seconds_at_zero": start, "seconds_per_1000": 1000 * slope, "furthest_off": off}
    return f"cost: {start:.1f} s + {1000 * slope:.2f} s per 1,000 molecules; at most {100 * off:.1f} % off the line"


def floor(metrics: dict[str, float]) -> str:
    """30,000 training molecules beside the published row of the whole training set."""
    lines = ["30,000 random training molecules beside the published Train row (all 1,584,663):"]
    lines += [f"{key:13} {metrics[key]:8.4f} {published:8.4f}" for key, published in TRAIN_ROW.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
