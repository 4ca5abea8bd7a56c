"""``molvae data``, ``molvae models`` and ``molvae doctor``: what is here."""

from __future__ import annotations

import json
from itertools import zip_longest
from pathlib import Path

from molvae import shipped
from molvae.data.cache import cache_folder
from molvae.data.sources import KNOWN, fetch, is_fetched
from molvae.workflows.environment import git_commit, hardware, versions


def list_data() -> list[str]:
    """A line for each known data set."""
    width = max(len(name) for name in KNOWN)
    return [
        f"{name.ljust(width)}  {'here' if is_fetched(data) else '-   '}  {data.description}"
        for name, data in KNOWN.items()
    ]


def fetch_data(name: str, folder: Path | None, *, quiet: bool = False) -> None:
    """Get a known data set into the cache and say where it is."""
    source = fetch(name, folder)
    if not quiet:
        for part, path in source.splits.items():
            print(f"{part}: {path}")
        print(f"use it by name: molvae train {name} --out RUN")


def list_models() -> list[str]:
    """A line for each model that ships: its size, its data, reconstruction beside the FCD of each prior."""
    rows = [_cells_of(name) for name in shipped.names()]
    widths = [max(map(len, column)) for column in zip_longest(*rows, fillvalue="")]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return lines or ["no model ships with this version of molvae"]


def _cells_of(name: str) -> list[str]:
    """What stands of a model in each column of the list."""
    folder = shipped.FOLDER / name
    about = json.loads((folder / "config.json").read_text("utf-8"))["about"]
    figures = [f"{key} {value:.3f}" for key, value in about["shipped"]["figures"].items() if value is not None]
    size = f"{shipped.num_bytes(folder) / 1e6:4.1f} MB"
    return [name, size, about["data"]["name"], *(figures or ["not evaluated yet"])]


def doctor() -> list[str]:
    """What this installation has, line by line."""
    import torch  # here: the lists above need neither, and each takes seconds to load

    from molvae.training import choose_precision
    from molvae.training.precision import bf16_speedup

    machine = hardware()
    lines = [f"{name.ljust(18)}{number}" for name, number in versions().items()]
    lines += [
        f"{'commit'.ljust(18)}{git_commit() or 'of a release'}",
        f"{'processor'.ljust(18)}{machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB",
        f"{'gpus'.ljust(18)}{', '.join(machine['gpus']) or 'none'}",
        f"{'precision'.ljust(18)}{choose_precision('cuda' if torch.cuda.is_available() else 'cpu')} "
        f"(bf16 products take 1/{bf16_speedup():.1f} of the time of float32 ones on this processor)",
        f"{'cache'.ljust(18)}{cache_folder()}",
    ]
    lines += [f"{'model'.ljust(18)}{line}" for line in list_models()]
    return lines + [f"{'data'.ljust(18)}{line}" for line in list_data()]
