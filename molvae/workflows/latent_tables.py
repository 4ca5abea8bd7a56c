"""Tables of latent points as a user gives them: columns z0, z1, ..., finite numbers."""

from __future__ import annotations

import hashlib
import re
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from molvae.data.tables import kind_of
from molvae.errors import InputError
from molvae.model import Model

DECODER = "decoder_sha256"
"""Where a .parquet says what its points mean, in what pandas keeps as ``attrs``; a .csv has no place for it."""


def decoder_sha256(model: Model) -> str:
    """What a latent space is known by: its points mean what the decoder says, whichever encoder found them."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.vae.decoder.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.float().cpu().numpy().tobytes())
    return digest.hexdigest()


def read_latents(path: Path, model: Model) -> NDArray[np.float32]:
    """The points of a .parquet or .csv that a model is to decode, (points, latent).

    Raises:
        InputError: no such file, no table, points of another model, or something that is not finite.
    """
    table, latent_size = _read(path), model.latent_size
    names = [f"z{i}" for i in range(latent_size)]
    found = [str(name) for name in table.columns if re.fullmatch(r"z\d+", str(name))]
    if not found:
        columns = ", ".join(str(name) for name in table.columns[:20])
        raise InputError("no latent points", where=path, got=f"the columns {columns}", expected=f"z0 ... z{latent_size - 1}",
                         hint=_ADVICE)  # fmt: skip
    if sorted(found) != sorted(names):
        raise InputError("latent points of another model", where=path, got=f"{len(found)} columns z0, z1, ...",
                         expected=f"the {latent_size} columns z0 ... z{latent_size - 1}")  # fmt: skip
    if (meant := table.attrs.get(DECODER)) not in (None, wanted := decoder_sha256(model)):
        raise InputError("latent points of another model", where=path, got=f"those of decoder {str(meant)[:12]}...",
                         expected=f"those of decoder {wanted[:12]}...", hint="Decode them with the model that encoded them.")  # fmt: skip
    try:
        z = table[names].to_numpy(dtype=np.float32)
    except (ValueError, TypeError) as error:
        raise InputError("a latent point that is not a number", where=path, got=str(error)) from error
    bad = np.argwhere(~np.isfinite(z))
    if len(bad):
        row, column = bad[0]
        raise InputError("a latent point that is not finite", where=f"{path}, row {row + 1}, column z{column}",
                         got=z[row, column], expected="a finite number")  # fmt: skip
    return z


_ADVICE = "`molvae encode` makes a table of latent points."


def _read(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise InputError("no such file", where=path, hint=_ADVICE)
    if kind_of(path) not in (".parquet", ".csv"):
        raise InputError("a file that is no table of latent points", where=path, got=f"'{path.suffix}'",
                         expected=".parquet or .csv", hint=_ADVICE)  # fmt: skip
    try:
        return pd.read_parquet(path) if kind_of(path) == ".parquet" else pd.read_csv(path)
    except (ValueError, OSError, EOFError, zlib.error, pa.ArrowException) as error:  # the last but one of a .gz that is cut off
        raise InputError("a table that cannot be read", where=path, got=(str(error).splitlines() or [type(error).__name__])[0],
                         expected="a .parquet or .csv file") from error  # fmt: skip
