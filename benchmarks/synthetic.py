"""The synthetic experiment of the DD-VAE paper: does the model say each six-bit string as often as the data do?

    molvae data fetch synthetic-bits --from ../shared/data
    python benchmarks/synthetic.py --seeds 3 --jobs 2

Trains three models (DD-VAE with uniform and with tricube posteriors under the uniform prior, the ordinary VAE) for each
seed, decodes 10⁶ points of the prior, and compares the shares of the 64 strings with the distribution that the data were
drawn from: six independent bits with P(1) = 0.8. Shares are smoothed by adding ½ to the count of every string and of one
bin for anything else. The published learning rate ends at 3e-4, at which the borders between strings still move from step
to step; so each model is then trained on for ``--settling`` epochs with a rate that falls to zero, and measured again. Runs are
kept in ``--runs`` and results in ``benchmarks/results/synthetic.json``; a run that is there is not made again.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from molvae.files import atomic_write, write_bytes
from molvae.model import Model, load
from molvae.report.plots import draw_latent_regions
from molvae.workflows.environment import environment

STRINGS = ["".join(bits) for bits in itertools.product("01", repeat=6)]
TRUE = np.array([0.8 ** s.count("1") * 0.2 ** s.count("0") for s in STRINGS])
NUM_DRAWS = 1_000_000
RESULTS = Path(__file__).parent / "results" / "synthetic.json"

PHASE = "training.phase.0.objective"
FINE = "training.phase.1.objective"
MODELS: dict[str, dict[str, Any]] = {
    "DD-VAE uniform": {"published": {"kl": 0.00325, "js": 0.000815}, "end": "beta=1.0,tau=1e-3", "set": []},
    "DD-VAE tricube": {
        "published": {"kl": 0.00660, "js": 0.00169},
        "end": "beta=0.1,tau=1e-2",
        "set": [
            'model.posterior={kind="tricube"}',
            f"{PHASE}.beta.end=0.1",
            f"{PHASE}.tau.end=1e-2",
            f"{FINE}.beta=0.1",
            f"{FINE}.tau=1e-2",
        ],
    },
    "VAE Gaussian": {
        "published": {"kl": 0.00729, "js": 0.00185},
        "end": "beta=0.1",
        "set": [
            'model.posterior={kind="normal"}',
            'model.prior={kind="normal"}',
            'model.likelihood={kind="categorical_tokens"}',
            f"{PHASE}.beta.end=0.1",
            f"{FINE}.beta=0.1",
        ],
    },
}


def kl(p: np.ndarray, q: np.ndarray) -> float:
    """KL(p ‖ q) in nats; q covers p's support."""
    inside = p > 0
    return float((p[inside] * np.log(p[inside] / q[inside])).sum())


def figures(model: Model, seed: int) -> dict[str, Any]:
    """Divergences between the data's distribution and the shares of 10⁶ decoded prior points."""
    said = np.unique(np.array(model.sample(NUM_DRAWS, seed=seed)), return_counts=True)
    counts = dict(zip(*(part.tolist() for part in said), strict=True))
    known = np.array([counts.get(s, 0) for s in STRINGS], dtype=float)
    smoothed = np.append(known, NUM_DRAWS - known.sum()) + 0.5
    shares, true = smoothed / smoothed.sum(), np.append(TRUE, 0.0)
    middle = 0.5 * (shares + true)
    return {
        "kl": kl(true, shares),
        "js": 0.5 * kl(true, middle) + 0.5 * kl(shares, middle),
        "share_of_other_strings": float(1 - known.sum() / NUM_DRAWS),
        "never_decoded": [s for s, count in zip(STRINGS, known, strict=True) if not count],
        "exact_mean": float(np.mean([a == b for a, b in zip(STRINGS, model.reconstruct(STRINGS), strict=True)])),
    }


def train(name: str, seed: int, options: argparse.Namespace) -> Path:
    """Train one model in a process of its own (resumed if it was interrupted)."""
    run = options.runs / f"{name.replace(' ', '-').lower()}-{seed}"
    if not (run / "model").exists():
        command = [sys.executable, "-m", "molvae", "train", "synthetic-bits", "--out", str(run), "--quiet"]
        if (run / "config.toml").exists():
            command += ["--resume"]
        else:
            settings = [
                *MODELS[name]["set"],
                *_compressed(options.epochs),
                f"training.threads={max(1, 2 // options.jobs)}",
                *options.set,
            ]
            command += ["--preset", "synthetic", "--seed", str(seed), *(w for s in settings for w in ("--set", s))]
        subprocess.run(command, check=True)
    return run


def settle(name: str, run: Path, seed: int, options: argparse.Namespace) -> Path:
    """Train a model on, encoder and decoder, with a learning rate that falls to zero."""
    settled = run.with_name(f"{run.name}-settled")
    if not (settled / "model").exists():
        command = [sys.executable, "-m", "molvae", "train", "synthetic-bits", "--out", str(settled), "--quiet"]
        if (settled / "config.toml").exists():
            command += ["--resume"]
        else:
            objective = f'{{kind="elbo",convention="per-unit",{MODELS[name]["end"]}}}'
            settings = [
                *(each for each in MODELS[name]["set"] if each.startswith("model.")),
                f'training.phase=[{{name="settling",objective={objective},learning_rate={{kind="cosine",start=3e-4,end=0.0}}}}]',
                f"training.epochs={options.settling}",
                f"training.validate_every={options.settling}",
                f"training.threads={max(1, 2 // options.jobs)}",
            ]
            command += ["--from", str(run), "--preset", "synthetic", "--seed", str(seed)]
            command += [word for setting in settings for word in ("--set", setting)]
        subprocess.run(command, check=True)
    return settled


def _compressed(epochs: int) -> list[str]:
    """The published 100 + 10 epochs and their schedules, pressed into fewer; the two epochs at beta = 0 stay two."""
    share = epochs / 100
    return [
        f"training.epochs={epochs}",
        f"training.learning_rate.every={20 * share}",
        f"{PHASE}.beta.start_epoch=2",
        f"training.phase.1.epochs={max(1, round(10 * share))}",
        f"training.validate_every={epochs}",
    ]


def measure(name: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """Train, decode the prior, draw the latent space."""
    started = time.monotonic()
    run = train(name, seed, options)
    model = load(settle(name, run, seed, options))
    result = {"model": name, "seed": seed, **figures(model, seed), "before_settling": figures(load(run), seed)}
    result["seconds"] = round(time.monotonic() - started, 1)
    if seed == 0:
        picture = RESULTS.parent / f"synthetic-{name.replace(' ', '-').lower()}.png"
        write_bytes(picture, draw_latent_regions(model, STRINGS, cube=model.vae.prior.support == "cube", title=name))
    return result


def _mean_and_error(values: list[float]) -> str:
    error = np.std(values, ddof=1) / math.sqrt(len(values)) if len(values) > 1 else float("nan")
    return f"{np.mean(values):.5f} ± {error:.5f}"


def table(results: list[dict[str, Any]]) -> str:
    """Means and standard errors beside the published figures."""
    lines = [
        "| model | seeds | KL(data‖model) | before settling | published | JS | published | other strings | never decoded |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, model in MODELS.items():
        rows = [r for r in results if r["model"] == name]
        if rows:
            missing = sorted({s for r in rows for s in r["never_decoded"]})
            before = _mean_and_error([r["before_settling"]["kl"] for r in rows])
            lines.append(
                f"| {name} | {len(rows)} | {_mean_and_error([r['kl'] for r in rows])} | {before} | {model['published']['kl']} | "
                f"{np.mean([r['js'] for r in rows]):.6f} | {model['published']['js']} | "
                f"{np.mean([r['share_of_other_strings'] for r in rows]):.2e} | {', '.join(missing) or 'none'} |"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=100, help="of the main phase; its schedules are pressed into it")
    parser.add_argument("--settling", type=int, default=10, help="epochs of the learning rate's fall to zero")
    parser.add_argument("--runs", type=Path, default=Path("runs/synthetic"))
    parser.add_argument("--only", choices=list(MODELS), help="one of the models")
    parser.add_argument("--set", action="append", default=[], help="passed on to molvae train")
    options = parser.parse_args()
    done = json.loads(RESULTS.read_text())["results"] if RESULTS.exists() else []
    have = {(r["model"], r["seed"]) for r in done}
    todo = [(n, s) for s in range(options.seeds) for n in MODELS if (n, s) not in have and options.only in (None, n)]
    with ThreadPoolExecutor(options.jobs) as pool:
        for result in pool.map(lambda task: measure(*task, options), todo):
            done.append(result)
            print(json.dumps(result), flush=True)
            with atomic_write(RESULTS) as file:
                file.write(
                    json.dumps(
                        {
                            "about": {**environment(), "epochs": options.epochs, "settling": options.settling},
                            "published": {n: m["published"] for n, m in MODELS.items()},
                            "results": done,
                        },
                        indent=1,
                    )
                    + "\n"
                )
    print(table(done))


if __name__ == "__main__":
    main()
