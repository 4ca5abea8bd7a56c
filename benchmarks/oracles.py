"""How many molecules a second each oracle scores, on two worker processes.

    python benchmarks/oracles.py [--num 2000]

Scores molecules of the bundled sample through `Scoring`, as ``molvae score`` does, with each oracle alone and with all of
them at once (every molecule is parsed once then). Beside the rate stands the processor time that one molecule costs in
a worker, parsing included: on a busy machine it is the figure that holds, and 2 ms of it are 1,000 molecules a second on
two cores. Results: ``benchmarks/results/oracles.json``.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import time
from pathlib import Path
from typing import Any

from molvae.chem.molecules import parse
from molvae.execution import available_cores
from molvae.files import atomic_write
from molvae.oracles import Oracle, Scoring, find_oracle
from molvae.oracles.molecular import PROPERTIES
from molvae.oracles.tasks import TASKS
from molvae.workflows.environment import environment

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "oracles.json"
NUM_WORKERS = 2
LEAD = "CC(=O)Oc1ccccc1C(=O)O"
EXEMPT = ("deco_hop", "scaffold_hop")
BAR = 1000.0


def sample(num: int) -> list[str]:
    """Molecules of MOSES' test set."""
    with gzip.open(ROOT / "molvae" / "bundled" / "moses_sample_test.smi.gz", "rt") as file:
        return [line.split()[0] for line in file][:num]


def processor_seconds(oracles: list[Oracle], molecules: list[str]) -> float:
    """Processor time of a molecule in one process: one parse, then every oracle."""
    functions = [PROPERTIES[oracle.outputs[0]].function for oracle in oracles if oracle.outputs[0] in PROPERTIES]
    for function in functions:
        function(parse(LEAD))
    start = time.process_time()
    for smiles in molecules:
        molecule = parse(smiles)
        for function in functions:
            function(molecule)
    return (time.process_time() - start) / len(molecules)


def rate(oracles: list[Oracle], molecules: list[str]) -> float:
    """Molecules a second, the start of the processes left out."""
    with Scoring(oracles, NUM_WORKERS) as scoring:
        list(scoring.measure(molecules[:200]))
        start = time.perf_counter()
        assert all(measurement.ok for measurement in scoring.measure(molecules))
        return len(molecules) / (time.perf_counter() - start)


def measure(name: str, oracles: list[Oracle], molecules: list[str]) -> dict[str, Any]:
    seconds = processor_seconds(oracles, molecules[:500])
    return {
        "oracle": name,
        "molecules_per_second": round(rate(oracles, molecules), 1),
        "processor_ms_per_molecule": round(1e3 * seconds, 4),
        "molecules_per_processor_second_on_2_cores": round(2 / seconds, 1),
        "bar": None if name.startswith((*EXEMPT, "all")) else BAR,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--num", type=int, default=2000)
    num: int = parser.parse_args().num
    molecules, load, results = sample(num), os.getloadavg()[0], []
    every = {name: [find_oracle(name)] for name in PROPERTIES}
    fast = [oracle for name, (oracle,) in every.items() if name not in EXEMPT]
    print(f"{'oracle':28s}{'molecules/s':>12s}{'ms of processor':>18s}{'2 cores, by processor time':>28s}")
    for name, oracles in {**every, f"all but {' and '.join(EXEMPT)}": fast}.items():
        row = measure(name, oracles, molecules)
        results.append(row)
        print(
            f"{name:28s}{row['molecules_per_second']:12,.0f}{row['processor_ms_per_molecule']:18.3f}"
            f"{row['molecules_per_processor_second_on_2_cores']:28,.0f}",
            flush=True,
        )
    about = {
        **environment(),
        "molecules": f"the first {num} of the bundled MOSES test sample",
        "num_workers": NUM_WORKERS,
        "cores": available_cores(),
        "tasks": len(TASKS),
        "load_average_before": load,
    }
    with atomic_write(RESULTS) as file:
        file.write(json.dumps({"about": about, "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
