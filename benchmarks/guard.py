"""Guarded decoding beside unguarded: validity, the share of strings changed, speed. Both decode the same latent points.

    python benchmarks/guard.py MODEL --samples 3000 --widened 1024 --many 12000
    python benchmarks/guard.py moses-small --samples 12000 --prior fitted --name guard_moses_small

Speed is that of whole calls, RDKit's judgement and the other endings included, in turns that alternate, the ratio being
the median of the turns' ratios; once by the clock and once in processor seconds, which other programs disturb less. The
guard's steps cost the same for a net of any size; `--widened H` measures the speed again with the same decoder in H hidden
units, those beyond its own being zero: the same strings at the cost of a larger model.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from hardware import about, write

import molvae
from molvae.chem.molecules import canonical_or_none, is_molecule
from molvae.nets import GRUDecoder

BARS = {"valid_guarded": 0.999, "speed_ratio": 0.5}


def seconds(function: Callable[[], Any]) -> tuple[float, float]:
    """Of the clock and of the processor."""
    clock, processor = time.perf_counter(), time.process_time()
    function()
    return time.perf_counter() - clock, time.process_time() - processor


def speed(model: molvae.Model, z: np.ndarray, repeats: int) -> dict[str, Any]:
    model.decode_guarded(z[:100])  # the tables are made once
    turns = [(seconds(lambda: model.decode(z)), seconds(lambda: model.decode_guarded(z))) for _ in range(repeats)]
    found: dict[str, Any] = {}
    for number, name in enumerate(("clock", "processor")):
        ratios = [free[number] / guarded[number] for free, guarded in turns]
        found[name] = {
            "ratio": statistics.median(ratios), "ratio_range": [min(ratios), max(ratios)],
            "per_second": len(z) / statistics.median(free[number] for free, _ in turns),
            "per_second_guarded": len(z) / statistics.median(guarded[number] for _, guarded in turns),
        }  # fmt: skip
    return found


@torch.no_grad()
def widened(model: molvae.Model, hidden: int) -> molvae.Model:
    """The model with a decoder of more hidden units, which do nothing."""
    old = model.vae.decoder
    assert isinstance(old, GRUDecoder) and len(old.layers) == 1
    new = GRUDecoder(**{**old.arguments, "hidden_size": hidden})
    own = old.head.in_features
    for name, tensor in new.state_dict().items():
        source, target = old.state_dict()[name], tensor.zero_()
        if name.startswith("layers."):  # three gates below one another
            source, target = source.view(3, own, -1), target.view(3, hidden, -1)
            target[:, :own, : source.shape[2]] = source
        elif source.dim() == 2:
            target[: source.shape[0], : source.shape[1]] = source
        else:
            target[: len(source)] = source
    spec = {**model.vae.spec, "decoder": new.spec}
    larger = molvae.Model(model.codec, molvae.VAE.from_spec(spec), model.about)
    larger.vae.load_state_dict({**model.vae.state_dict(), **{f"decoder.{k}": v for k, v in new.state_dict().items()}})
    return larger


def figures(model: molvae.Model, z: np.ndarray) -> dict[str, Any]:
    free, guarded = list(model.decode(z)), model.decode_guarded(z)
    valid, valid_guarded = (np.array([is_molecule(s) for s in strings]) for strings in (free, guarded.strings))
    changed = np.array([a != b for a, b in zip(free, guarded.strings, strict=True)])
    assert (changed == guarded.intervened).all()
    distinct = [len({canonical_or_none(s) for s in strings} - {None}) for strings in (free, guarded.strings)]
    return {
        "valid": valid.mean(), "valid_guarded": valid_guarded.mean(), "intervened": guarded.share_intervened,
        "valid_but_changed": (valid & changed).mean(), "distinct": distinct[0], "distinct_guarded": distinct[1],
        "mean_characters": np.mean([len(s) for s in free]),
        "mean_characters_guarded": np.mean([len(s) for s in guarded.strings]),
        "mean_characters_of_the_changed": np.mean([len(s) for s, c in zip(guarded.strings, changed, strict=True) if c] or [0]),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a run folder or a model folder")
    parser.add_argument("--samples", type=int, default=3000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--widened", type=int, help="measure the speed at this hidden size, too")
    parser.add_argument("--many", type=int, default=12_000, help="samples at that size")
    parser.add_argument("--prior", choices=("normal", "fitted"), default="normal", help="that the samples are of")
    parser.add_argument("--name", default="guard", help="of the results")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = molvae.load(options.model)
    z = model.sample_prior(options.samples, seed=options.seed, prior=options.prior)
    result = {name: float(value) for name, value in figures(model, z).items()}
    result |= {"speed": speed(model, z, options.repeats)}
    if options.widened:
        larger = widened(model, options.widened)
        assert larger.decode(z[:200]) == model.decode(z[:200])
        result[f"speed_at_{options.widened}"] = speed(
            larger, model.sample_prior(options.many, seed=options.seed + 1, prior=options.prior), options.repeats
        )
    result["bars"] = BARS
    for name, value in result.items():
        print(f"{name:32s}{value if isinstance(value, dict) else round(value, 4)}")
    settings = vars(options) | {"model": {name: model.about.get(name) for name in ("preset", "data", "seed", "training_seconds")}}
    print(f"→ {write(options.name, {**result, 'about': about(**settings)})}")


if __name__ == "__main__":
    main()
