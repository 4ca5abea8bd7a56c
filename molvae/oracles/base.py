"""What an oracle is, and what becomes of a call."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from molvae.errors import OracleError

CallStatus = Literal["ok", "invalid", "nonsense", "raised", "timeout", "crashed", "memory", "failed", "interrupted"]
"""``invalid``: not a molecule, never sent; ``nonsense``: an answer that is no finite number; ``failed``: people say that a
measurement gave nothing; the rest as `execution.Status`."""


@dataclass(frozen=True)
class Measurement:
    """What became of one call of an oracle.

    Attributes:
        smiles: as it was sent.
        status: ``ok``, or the kind of failure.
        values: the value of each output if ``ok``; a failure has none, and never a 0 in its place.
        reason: one line that says what went wrong otherwise.
        seconds: time the call took.
    """

    smiles: str
    status: CallStatus
    values: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether there are values."""
        return self.status == "ok"


class Oracle(ABC):
    """Something that can say what molecules are worth. Plain data, so that it can be sent to a worker process.

    Attributes:
        outputs: names of the values that each answer has.
        batch_size: molecules that ``answer`` is given at most at a time; a batch that fails is asked again one by one.
    """

    outputs: tuple[str, ...]
    batch_size: int = 1

    def prepare(self) -> None:
        """Load what is slow to load: called once in each worker process, outside the time limits."""
        return

    @abstractmethod
    def answer(self, smiles_list: Sequence[str]) -> list[Mapping[str, float]]:
        """The values of each molecule, in order; runs inside a worker process, under its limits.

        Raises:
            Exception: of any kind; it becomes the reason of a failed call.
        """


class Nonsense(OracleError):
    """An answer that is not one finite number for each output."""

    status: CallStatus = "nonsense"


class Crashed(OracleError):
    """A program that was killed by a signal."""

    status: CallStatus = "crashed"


class OutOfMemory(OracleError):
    """A program that ran out of memory and said so."""

    status: CallStatus = "memory"
