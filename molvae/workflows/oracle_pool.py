"""The oracles of a campaign at work: in processes of this machine, or on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from urllib.parse import urlsplit

from molvae.chem.molecules import prepare_worker
from molvae.dask_execution import DaskWorkers
from molvae.errors import ConfigError
from molvae.execution import Limits
from molvae.optimization.settings import OracleSettings
from molvae.oracles import Oracle, Scoring, find_command, find_oracle
from molvae.oracles.scoring import default_limits

OracleSpec = str | Callable[[str], Any] | Oracle


def find_oracles(specs: Sequence[OracleSpec], command: str | None, objectives: Sequence[str]) -> list[Oracle]:
    """The oracles of a campaign.

    Args:
        specs: as `molvae.oracles.find_oracle` takes them, or oracles that have been made already.
        command: a program beside or instead of them.
        objectives: as named by the user; they name the values of a single function or program.
    """
    alone = list(objectives) or None if len(specs) == 1 and command is None else None
    found = [spec if isinstance(spec, Oracle) else find_oracle(spec, alone) for spec in specs]
    if command is not None:
        taken = {name for oracle in found for name in oracle.outputs}
        found.append(find_command(command, [name for name in objectives if name not in taken] or None))
    return found


def name_of(spec: OracleSpec) -> str:
    """What the record calls an oracle: the words it was asked for with, or the place of its code."""
    if isinstance(spec, str):
        return spec
    return f"{getattr(spec, '__module__', '')}:{getattr(spec, '__qualname__', type(spec).__qualname__)}"


def resolve_limits(settings: OracleSettings, oracles: Sequence[Oracle]) -> OracleSettings:
    """The settings with the time limit filled in that these oracles have where none was given."""
    seconds = settings.seconds or default_limits(oracles).seconds
    return settings.model_copy(update={"seconds": seconds})


@contextmanager
def scoring(oracles: Sequence[Oracle], settings: OracleSettings, executor: str | None = None) -> Iterator[Scoring]:
    """The oracles, ready to measure: in processes of this machine, or where the executor says.

    Raises:
        ConfigError, InputError: an executor that cannot be used; see `open_executor`.
    """
    limits = Limits(settings.seconds, settings.memory_bytes)
    with ExitStack() as stack:
        workers, num_workers = None, settings.num_workers
        if executor is not None:
            workers = stack.enter_context(open_executor(executor, limits))
            num_workers = workers.num_workers
        yield stack.enter_context(Scoring(oracles, num_workers, limits, settings.retries, workers))


def check_executor(address: str) -> None:
    """See that somebody answers behind ``--executor``, before a folder is made or changed.

    Raises:
        ConfigError, InputError: as `open_executor`.
    """
    with open_executor(address, Limits()):
        pass


def open_executor(address: str, limits: Limits) -> DaskWorkers:
    """The workers behind ``--executor``.

    Raises:
        ConfigError: an address of another kind.
        InputError: Dask is not installed, or nobody answers.
    """
    if not _is_address(address):
        raise ConfigError("an executor that is not known", where="--executor", got=f"'{address}'",
                          expected="dask://HOST:PORT")  # fmt: skip
    return DaskWorkers(address, limits, prepare_worker)


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme == "dask" and bool(parts.hostname) and parts.port is not None
    except ValueError:  # a port that is no number
        return False
