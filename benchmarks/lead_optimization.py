"""Lead optimisation: a drug's drug-likeness raised and its lipophilicity lowered, its pharmacophore and its likeness kept.

    make demo
    python benchmarks/lead_optimization.py runs/demo [--drug SMILES --keep SMARTS] [--seeds 3] [--budget 200]

Runs what docs/lead_optimization.md runs by hand, for several seeds, and the same campaign without the constraints that a
chemist would miss (``--oracle qed`` alone) for comparison. A campaign that is there already (in ``--runs``) is not run
again. Results: ``benchmarks/results/lead_optimization.json`` and ``docs/images/lead_optimization.png``.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from typing import Any

import hardware

from molvae import workflows
from molvae.chem.drawing import draw_grid
from molvae.chem.molecules import canonical_smiles
from molvae.files import write_bytes
from molvae.optimization.constraints import Gate, read_constraints
from molvae.oracles import find_oracle

TERFENADINE = "CC(C)(C)c1ccc(cc1)C(O)CCCN1CCC(CC1)C(O)(c1ccccc1)c1ccccc1"
PHARMACOPHORE = "OC(c1ccccc1)(c1ccccc1)C1[CH2][CH2]N([CH2]CC)[CH2][CH2]1"
"""Two phenyl rings at a carbinol, a basic amine with a chain: what terfenadine shares with fexofenadine."""
SCALE = {"qed": [0.4, 1.0], "logp": [2.0, 6.5]}
"""From the lead to what is good enough: without an end, the front runs off to polyols of logP -2."""
IMAGE = Path(__file__).resolve().parents[1] / "docs" / "images" / "lead_optimization.png"
DRAWN, ALIKE = 5, 0.7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--name", default="terfenadine")
    parser.add_argument("--drug", default=TERFENADINE, help="SMILES")
    parser.add_argument("--keep", default=PHARMACOPHORE, help="SMARTS that every molecule must have")
    parser.add_argument("--similarity", type=float, default=0.4)
    parser.add_argument("--logp", type=float, default=4.0, help="at most")
    parser.add_argument("--strategy", default="hybrid")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--budget", type=int, default=200)
    parser.add_argument("--runs", type=Path, default=Path("runs/lead_optimization"))
    arguments = parser.parse_args()
    arguments.runs.mkdir(parents=True, exist_ok=True)
    (arguments.runs / "lead.smi").write_text(f"{arguments.drug} {arguments.name}\n")
    constraints = [f"similarity:{arguments.drug} >= {arguments.similarity:g}", f"must have {arguments.keep}",
                   f"logp <= {arguments.logp:g}", "sa <= 3.5"]  # fmt: skip
    runs = []
    for seed in range(arguments.seeds):
        for name, chosen in (("constrained", constraints), ("unconstrained", [])):
            runs.append(run(name, seed, chosen, constraints, arguments))
            print({key: value for key, value in runs[-1].items() if key != "best"}, flush=True)
    before, after = described([canonical_smiles(arguments.drug)], arguments), picked(runs, arguments)
    result = {"about": hardware.about(**{k: str(v) for k, v in vars(arguments).items()}), "constraints": constraints,
              "before": before[0], "after": after, "runs": runs}  # fmt: skip
    print(f"→ {hardware.write('lead_optimization', result)}")
    draw([*before, *after], arguments)
    print(table([*before, *after]))


def run(name: str, seed: int, chosen: list[str], judged: list[str], arguments: argparse.Namespace) -> dict[str, Any]:
    """One campaign, or what is left of it, and how many of its labels went to molecules that a chemist would take."""
    folder = arguments.runs / f"{name}-{seed}"
    begun = (folder / "config.toml").is_file()
    choices = {"strategy": arguments.strategy, "seed": seed, "budget": arguments.budget, "batch_size": 25,
               "init": arguments.runs / "lead.smi", "constraints": chosen, "maximize": ["qed"], "minimize": ["logp"],
               "goal": {"kind": "pareto", "scale": SCALE}}  # fmt: skip
    summary = workflows.optimize(arguments.model, folder, oracle=["qed", "logp"], resume=begun, quiet=True,
                                 **({} if begun else choices))  # fmt: skip
    with (folder / "molecules.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["status"] == "ok" and row["source"] != "init"]
    gate = Gate(read_constraints(judged).free)
    taken = [row["smiles"] for row in rows if gate.violation(row["smiles"]) == 0]
    return {
        "campaign": name, "seed": seed, "labels": summary["labels"]["paid"], "satisfying": len(taken),
        "best_qed_satisfying": max((float(row["qed"]) for row in rows if row["smiles"] in set(taken)), default=None),
        "dropped": summary.get("dropped", {}), "best": described(taken, arguments)[:10],
    }  # fmt: skip


def described(smiles_list: list[str], arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """QED, logP and similarity to the drug of molecules, the highest QED first."""
    oracles = {name: find_oracle(name) for name in ("qed", "logp", f"similarity:{arguments.drug}")}
    rows = []
    for smiles in smiles_list:
        values = {name.partition(":")[0]: next(iter(oracle.answer([smiles])[0].values())) for name, oracle in oracles.items()}
        rows.append({"smiles": smiles, **{name: round(value, 3) for name, value in values.items()}})
    return sorted(rows, key=lambda row: -row["qed"])


def picked(runs: list[dict[str, Any]], arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """The best by QED over all seeds, none of them much like one before it."""
    found = {row["smiles"]: row for each in runs if each["campaign"] == "constrained" for row in each["best"]}
    chosen: list[dict[str, Any]] = []
    for row in sorted(found.values(), key=lambda row: -row["qed"]):
        likeness = find_oracle(f"similarity:{row['smiles']}")
        if all(likeness.answer([other["smiles"]])[0]["similarity"] < ALIKE for other in chosen):
            chosen.append(row)
    return chosen[:DRAWN]


def draw(rows: list[dict[str, Any]], arguments: argparse.Namespace) -> None:
    """Before and after, the kept part coloured."""
    names = [arguments.name, *(f"proposal {number}" for number in range(1, len(rows)))]
    legends = [
        f"{name}: QED {row['qed']:.2f}, logP {row['logp']:.1f}, similarity {row['similarity']:.2f}"
        for name, row in zip(names, rows, strict=True)
    ]
    write_bytes(IMAGE, draw_grid([r["smiles"] for r in rows], legends, per_row=3, size=380, highlight=arguments.keep))


def table(rows: list[dict[str, Any]]) -> str:
    """For a terminal, or a page."""
    lines = ["| molecule | QED | logP | similarity |", "|---|---|---|---|"]
    lines += [f"| `{row['smiles']}` | {row['qed']:.3f} | {row['logp']:.2f} | {row['similarity']:.2f} |" for row in rows]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
