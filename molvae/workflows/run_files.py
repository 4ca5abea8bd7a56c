"""The files of a run's data: which they are, and whether they can be what they are given as. No torch: a slip is said at once."""

from __future__ import annotations

import sys
from pathlib import Path

from molvae.config import DataConfig, RunConfig
from molvae.data.sources import Source, resolve
from molvae.data.tables import Table
from molvae.errors import ConfigError


def check_data(config: RunConfig) -> None:
    """Look whether the data of a run are there and of the right kind, without reading them.

    Raises:
        InputError: a file that is missing, empty or no table of molecules.
        ConfigError: images with a codec for molecules, or molecules with one for images; images with what is asked of molecules.
    """
    source = resolve(config.data.train or "")
    if (config.data.codec == "pixels") != (source.kind == "images"):
        wanted = "pixels" if source.kind == "images" else "smiles"
        raise ConfigError(
            f"{source.kind} with a codec for something else",
            where="data.codec",
            got=f"'{config.data.codec}'",
            expected=f"'{wanted}'",
            hint=f'Use a preset for {source.kind}, or a configuration of your own with data.codec = "{wanted}".',
        )
    if config.data.codec == "smiles":
        for path in files_of(config.data, source).values():
            Table(path, column_of(config.data, source, path))
        return
    for key in ("valid", "test", "smiles_column", "standardize"):
        if value := getattr(config.data, key):
            raise ConfigError("a setting for molecules, of images", where=f"data.{key}", got=value,
                              expected=f"nothing: {source.name} has its parts, and no columns", hint="Leave it out.")  # fmt: skip


def warn_of_shared_file(config: RunConfig) -> None:
    """Say which figures will be of molecules that the model has learned, where one file is given for both."""
    if config.data.codec != "smiles":
        return
    files = files_of(config.data, resolve(config.data.train or ""))
    shared = [f"--{part}" for part in ("valid", "test") if part in files and files[part].samefile(files["train"])]
    if shared:
        print(f"warning: {' and '.join(shared)}: the same file as DATA; the figures will be of molecules that the model has learned",
              file=sys.stderr)  # fmt: skip


def files_of(data: DataConfig, source: Source) -> dict[str, Path]:
    """The file of each part; the user's own files come before the data set's."""
    paths = {part: path for part, path in source.splits.items() if part in ("train", "valid", "test")}
    for part, given in (("valid", data.valid), ("test", data.test)):
        if given is not None:
            paths[part] = Path(given)
    return paths


def column_of(data: DataConfig, source: Source, path: Path) -> str | None:
    """The column of the SMILES: the user's choice, except in files of a known data set, which are ours."""
    return None if source.known and path in source.splits.values() else data.smiles_column
