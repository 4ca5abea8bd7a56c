"""How much of the way from N(0, I) to the decoder's floor does each kind of fitted prior go?

    python benchmarks/priors.py MODEL DATA --reference moses -n 30000
    python benchmarks/priors.py runs/demo sample --reference sample -n 3000 --fit "flow-matching means num_steps=20000"

The floor is the FCD of decoded test codes (z = mean, and z ~ q). A prior's excess over it, divided by that of N(0, I), is its ratio;
the bar is a third. All FCDs are of the valid among n samples and have the same bias. A fit that is in ``results/priors.json`` for the
same model, data, n and seed is not made again, and every fit is written when it is done.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Sequence
from typing import Any

import hardware

from molvae.chem.profile import canonical_forms
from molvae.evaluation.inputs import read_molecules
from molvae.evaluation.profiles import Chemistry
from molvae.evaluation.worth import ChemNetDistance
from molvae.model import Model, find, load
from molvae.workflows import fit_prior, parse_settings
from molvae.workflows.records import choose, read_records
from molvae.workflows.stages import Stages

FITS = (
    "gaussian means", "gaussian samples", "mixture means", "mixture samples", "flow means", "flow samples",
    "flow-matching means", "flow-matching samples",
    "flow-matching samples spread=0.5",
)  # fmt: skip
NAMES = ("N(0, I)", "test codes, z = mean", "test codes, z ~ q")


class Judge:
    """Figures of generated strings.

    Args:
        reference: of the FCD.
        train: strings that are not novel.
        chemistry: workers.
        stages: shows progress.
    """

    def __init__(self, reference: str, train: Sequence[str], chemistry: Chemistry, stages: Stages):
        self._distance = ChemNetDistance(reference, chemistry, stages)
        self._chemistry, self._train = chemistry, set(train)

    def __call__(self, smiles_list: Sequence[str]) -> dict[str, Any]:
        forms, _ = self._chemistry.values(canonical_forms, smiles_list, "canonical SMILES")
        valid = [form for form in forms if form is not None]
        distinct = set(valid)
        return {
            "n": len(smiles_list), "FCD/Test": self._distance(smiles_list)["value"], "valid": len(valid) / len(smiles_list),
            "unique": len(distinct) / len(valid), "novelty": len(distinct - self._train) / len(distinct),
        }  # fmt: skip


def main() -> None:
    options = parse()
    stages = Stages()
    model = load(options.model)
    result = opened(options)
    done = {row["name"] for row in result["rows"]}
    test = choose(read_records(model, options.data, part="test", quiet=True), options.n, options.seed)
    with Chemistry(options.num_workers, progress=stages) as chemistry:
        judge = Judge(options.reference, read_molecules(options.data, "train")[1], chemistry, stages)
        for name in [name for name in (*NAMES, *options.fit) if name not in done]:
            stages.say(name)
            result["rows"].append({"name": name, **measure(name, model, test, judge, options)})
            compare(result)
            hardware.write("priors", result)
    print(table(result))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a run folder or a model folder; it is not changed")
    parser.add_argument("data", help="what the model was trained on")
    parser.add_argument("--reference", default="moses")
    parser.add_argument("--fit", nargs="*", default=FITS, metavar="'KIND CODES NAME=VALUE ...'")
    parser.add_argument("-n", type=int, default=30_000)
    parser.add_argument("--limit", type=int, help="training molecules to fit to, drawn at random; all where not given")
    parser.add_argument("--num-workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def opened(options: argparse.Namespace) -> dict[str, Any]:
    """The results so far, if they are of the same model, data, n and seed."""
    weights = hashlib.sha256((find(options.model) / "weights.safetensors").read_bytes()).hexdigest()
    settings = {
        "weights": weights,
        "data": options.data,
        "reference": options.reference,
        "n": options.n,
        "limit": options.limit,
        "seed": options.seed,
    }
    path = hardware.RESULTS / "priors.json"
    earlier = json.loads(path.read_text()) if path.exists() else {}
    if earlier.get("about", {}).get("settings") == settings:
        return dict(earlier)
    return {"about": hardware.about(**settings), "trained": load(options.model).about.get("preset"), "rows": []}


def measure(name: str, model: Model, test: Any, judge: Judge, options: argparse.Namespace) -> dict[str, Any]:
    if name == NAMES[0]:
        return judge(model.sample(options.n, seed=options.seed))
    if name in NAMES:
        sampled = name == NAMES[2]
        back = model.reconstruct(test, sampled=sampled, seed=options.seed, as_written=True)
        exact = sum(one == other for one, other in zip(test, back, strict=True)) / len(test)
        return {**judge(back), "exact": exact}
    kind, on, *assignments = name.split()
    settings = parse_settings(assignments)
    spread = float(settings.pop("spread", 1.0))
    began = time.perf_counter()
    prior = fit_prior(model, options.data, kind=kind, on=on, spread=spread, settings=settings, limit=options.limit, seed=options.seed)  # type: ignore[arg-type]
    seconds = time.perf_counter() - began
    parameters = sum(value.numel() for value in prior.state_dict().values())
    figures = {
        "seconds_with_encoding": round(seconds, 1),
        "seconds_to_fit": prior.about["seconds"],
        "parameters": parameters,
    }
    return {**judge(model.sample(options.n, seed=options.seed, prior="fitted")), **figures, **prior.about["figures"]}


def compare(result: dict[str, Any]) -> None:
    """Excess over the lower of the two floors, and its ratio to that of N(0, I)."""
    rows = {row["name"]: row["FCD/Test"] for row in result["rows"]}
    if not set(NAMES) <= set(rows):
        return
    floor = min(rows[NAMES[1]], rows[NAMES[2]])
    for row in result["rows"]:
        row["excess"] = row["FCD/Test"] - floor
        row["ratio"] = row["excess"] / (rows[NAMES[0]] - floor)


def table(result: dict[str, Any]) -> str:
    columns = (
        "FCD/Test",
        "excess",
        "ratio",
        "valid",
        "unique",
        "novelty",
        "nearest_distance_ratio",
        "held_out_nats",
        "seconds_to_fit",
    )
    lines = [
        f"{result['about']['settings']['n']:,} samples",
        f"{'prior':50}" + "".join(f"{name[:14]:>16}" for name in columns),
    ]
    for row in result["rows"]:
        cells = (f"{row[name]:16.3f}" if row.get(name) is not None else " " * 16 for name in columns)
        lines.append(f"{row['name']:50}" + "".join(cells))
    return "\n".join(lines)


if __name__ == "__main__":
    main()
