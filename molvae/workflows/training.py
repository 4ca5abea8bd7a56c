"""``molvae train``: from a configuration to a model folder, resumable at any moment."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from molvae import config as configuration
from molvae.config import RunConfig
from molvae.data.given import is_named
from molvae.errors import InputError
from molvae.workflows.run_files import check_data, warn_of_shared_file


def train(
    data: str | Path,
    out: str | Path,
    *,
    start: str | Path | None = None,
    valid: str | Path | None = None,
    test: str | Path | None = None,
    smiles_column: str | None = None,
    preset: str | None = None,
    config: Path | None = None,
    assignments: Sequence[str] = (),
    reconstruction: float | None = None,
    standardize: bool = False,
    devices: int | None = None,
    resume: bool = False,
    seed: int | None = None,
    quiet: bool = False,
) -> Path:
    """Train a model; the arguments are those of ``molvae train``.

    Args:
        data: a file of molecules, or the name of a known data set.
        out: the run folder to make.
        start: a model to fine-tune.
        valid: validation molecules; else 5 % of the data.
        test: test molecules; else 5 % of the data.
        smiles_column: the column of the SMILES.
        preset: what to start the configuration from.
        config: a TOML file laid over it.
        assignments: ``key=value`` laid over that.
        reconstruction: a floor on the share of exact reconstructions, in place of β.
        standardize: canonical, neutral, largest fragment, no duplicates.
        devices: processes or GPUs.
        resume: go on with the run in ``out``.
        seed: of everything random.
        quiet: print nothing but warnings.

    Returns:
        the run folder; ``molvae.load`` takes it.

    Raises:
        MolvaeError: anything a user can get wrong, in one line.
    """
    _require_files(data=data, valid=valid, test=test)
    run = Path(out)
    options = {
        "data.valid": _absolute(valid),
        "data.test": _absolute(test),
        "data.smiles_column": smiles_column,
        "data.standardize": standardize or None,
        "training.devices": devices,
        "seed": seed,
    }
    given = (
        preset or config or assignments or reconstruction is not None or any(v is not None for v in options.values())
    )

    def settings() -> RunConfig:
        found = configuration.load(preset, config, list(assignments), {"data.train": _absolute(data), **options})
        return found if reconstruction is None else configuration.with_floor(found, reconstruction)

    written = configuration.written(config, list(assignments))
    asked = settings() if given or not resume else None
    if asked is not None and not resume and start is None:  # a model that is fine-tuned decides some of this
        check_data(asked)

    from molvae.training import in_process_group  # here: a slip is not to wait for torch
    from molvae.workflows.beginning import begin, first_of_job, refuse_existing, require_resumable
    from molvae.workflows.run_process import execute, wait_for

    if resume or asked is None:
        require_resumable(run, asked, _absolute(data), written)
    elif first_of_job():
        refuse_existing(run, alone=not in_process_group())
        begin(run, asked, start, written)
        warn_of_shared_file(asked)
    else:
        wait_for(run / "config.toml")
    return execute(run, quiet=quiet)


def _require_files(**given: object) -> None:
    """Refuse molecules in memory: a run names its data, so that it can be resumed and repeated.

    Raises:
        InputError: something that is no path.
    """
    for name, value in given.items():
        if value is not None and not is_named(value):
            raise InputError("molecules in memory", where=name, got=type(value).__name__, expected="a file or the name of a known data set",
                             hint="Write them to a file that the run can be resumed from: table.to_parquet('molecules.parquet').")  # fmt: skip


def _absolute(path: str | Path | None) -> str | None:
    """A file by its full path, so that a run can be resumed from anywhere; a data set's name as it is."""
    if path is None:
        return None
    return str(Path(path).resolve()) if Path(path).exists() else str(path)
