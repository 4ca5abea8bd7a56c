"""``molvae demo``: the main job on real molecules in a few minutes, from data to pictures."""

from __future__ import annotations

import json
import time
from pathlib import Path

from molvae.chem.drawing import draw_grid
from molvae.chem.molecules import canonical_or_none
from molvae.evaluation.validity import validity_figures
from molvae.files import atomic_write, write_bytes
from molvae.model import Model, load
from molvae.workflows.campaign_report import write_comparison
from molvae.workflows.generation import sample
from molvae.workflows.optimization import optimize
from molvae.workflows.reconstruction import reconstruct
from molvae.workflows.records import read_records
from molvae.workflows.reporting import make_report
from molvae.workflows.run_report import REPORT
from molvae.workflows.training import train

NUM_SAMPLES = 10_000
QED_BUDGET = 300
CAMPAIGNS = {"qed": None, "qed-random": "random"}
"""The campaigns' folders in the run's, and their strategies; None is the default."""


def demo(out: Path, *, seed: int = 0, quiet: bool = False) -> Path:
    """Train on the bundled sample of MOSES, sample, reconstruct, draw.

    Args:
        out: the run folder to make: a run like any other, with samples.smi, reconstruction.json, demo.json, pictures and a report.
        seed: of everything random.
        quiet: print nothing.
    """
    say = _silent if quiet else print
    started = time.monotonic()
    say("molvae demo: a DD-VAE on 50,000 molecules of MOSES\n")
    # Begun before, it goes on: a demonstration that was interrupted, or shown again, need not train twice.
    train("sample", out, preset="demo", seed=seed, resume=(out / "config.toml").is_file(), quiet=quiet)
    trained = time.monotonic()

    sample(out, NUM_SAMPLES, out / "samples.smi", seed=seed, quiet=True)
    smiles = (out / "samples.smi").read_text("utf-8").splitlines()
    figures = validity_figures(smiles)
    report = reconstruct(out, "sample", out / "reconstruction.json", seed=seed, quiet=True)
    rows = {
        f"validity of {NUM_SAMPLES:,} samples of z ~ N(0, I)": figures["validity"],
        "uniqueness of the valid ones": figures["uniqueness"],
        f"exact reconstruction of {report['num_molecules']:,} test molecules, z = mean": report["exact_mean"],
        "exact reconstruction, z ~ q(z|x)": report["exact_sampled"],
        "same molecule, z = mean": report["same_molecule_mean"],
        "tokens right under teacher forcing": report["token_accuracy"],
    }
    _draw(load(out), smiles, out)
    _write_figures(out, rows, trained - started)
    say("")
    for name, value in rows.items():
        say(f"  {name:68s}{value:.4f}")
    say(f"\ntwo campaigns of {QED_BUDGET} labels each for a high QED: the default strategy, and random samples of the prior")
    for name, best in campaigns(out, seed=seed, quiet=quiet).items():
        say(f"  {name + ': mean QED of the best 10':68s}{'none' if best is None else f'{best:.4f}'}")
    make_report([out, *(out / name for name in CAMPAIGNS)], out / REPORT, seed=seed, quiet=True)
    say(
        f"\n  trained in {trained - started:.0f} s, everything in {time.monotonic() - started:.0f} s\n"
        f"  {out / REPORT}          all of it on one page, for a browser\n"
        f"  {out / 'samples.smi'}          one SMILES a line, invalid ones too\n"
        f"  {out / 'samples.png'}          the first valid ones\n"
        f"  {out / 'interpolation.png'}    from one test molecule to another through the latent space\n"
        f"  {out / 'training.png'}         how training went\n"
        f"  {out / 'qed.png'}              the campaigns, label by label; their ledgers are in {out / 'qed'}\n"
        f"  {out / 'model'}                molvae.load({str(out)!r})"
    )
    return out


def campaigns(out: Path, *, seed: int = 0, quiet: bool = False) -> dict[str, float | None]:
    """A short QED campaign and its random baseline in ``out/qed`` and ``out/qed-random``, and their picture.

    Returns:
        the mean of the best ten molecules of each, by its strategy; None where it did not find ten.
    """
    found, drawn = {}, {}
    for folder, strategy in ((out / name, strategy) for name, strategy in CAMPAIGNS.items()):
        begun = (folder / "config.toml").is_file()
        choices = {} if begun else {"strategy": strategy, "budget": QED_BUDGET, "seed": seed}
        summary = optimize(out, folder, oracle="qed", resume=begun, quiet=quiet, **choices)  # type: ignore[arg-type]
        name = str(summary["strategy"]["kind"]) + (" (baseline)" if strategy else "")
        found[name], drawn[name] = summary["objectives"]["qed"]["top10_mean"], folder
    write_comparison(out / "qed.png", drawn)
    return found


def _draw(model: Model, smiles: list[str], out: Path) -> None:
    valid = [molecule for molecule in smiles[:200] if canonical_or_none(molecule) is not None]
    write_bytes(out / "samples.png", draw_grid(valid[:24]))
    first, last = read_records(model, "sample", quiet=True)[:2]
    between, _ = model.interpolate(first, last, 10)
    legends = [f"{i / 9:.2f}" if canonical_or_none(s) else f"{i / 9:.2f}: invalid" for i, s in enumerate(between)]
    write_bytes(out / "interpolation.png", draw_grid([first, *between, last], ["from", *legends, "to"]))


def _write_figures(out: Path, rows: dict[str, float], seconds: float) -> None:
    with atomic_write(out / "demo.json") as file:
        file.write(json.dumps({"figures": rows, "training_seconds": round(seconds, 1)}, indent=2) + "\n")


def _silent(*_: object) -> None:
    """Say nothing."""
