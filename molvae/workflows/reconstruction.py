"""``molvae reconstruct``: how many records come back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from molvae.data.codecs import PixelCodec
from molvae.data.given import Molecules
from molvae.evaluation.images import image_rates
from molvae.evaluation.reconstruction import reconstruction_report
from molvae.files import atomic_write, require_writable
from molvae.model import Model, load
from molvae.workflows.records import choose, read_records


def reconstruct(
    model: str | Path | Model,
    data: Molecules,
    output: Path | None = None,
    *,
    smiles_column: str | None = None,
    limit: int | None = None,
    seed: int = 0,
    quiet: bool = False,
) -> dict[str, Any]:
    """Encode and decode records and count what comes back.

    Args:
        model: a run folder, a model folder or a model.
        data: a file of molecules, the name of a known data set (its test part), or molecules in memory.
        output: where the report goes (JSON); nowhere if None.
        smiles_column: the column of the SMILES.
        limit: use this many records, drawn at random.
        seed: of that choice and of z ~ q.
        quiet: print nothing.

    Returns:
        the report, see ``molvae.evaluation.reconstruction``, and of a model of images ``molvae.evaluation.images``.
    """
    if output is not None:
        require_writable(output)
    loaded = model if isinstance(model, Model) else load(model)
    rejects = None if output is None else output.with_name(output.stem + "-rejects.csv")
    records = choose(read_records(loaded, data, smiles_column, rejects=rejects, quiet=quiet), limit, seed)
    rates = image_rates if isinstance(loaded.codec, PixelCodec) else reconstruction_report
    report = rates(loaded, records, seed)
    if output is not None:
        with atomic_write(output) as file:
            file.write(json.dumps(report, indent=1) + "\n")
    if not quiet:
        for name in (name for name in report if name != "failures"):
            value = report[name]
            print(
                f"  {name:20s}{value:,}"
                if isinstance(value, int)
                else f"  {name:20s}{value if value is None else round(value, 4)}"
            )
    return report
