"""What a campaign was set up to do: ``CAMPAIGN/config.toml``, every value as it was at the start."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from molvae.data.cache import file_sha256
from molvae.errors import ArtifactError, ConfigError
from molvae.files import atomic_write
from molvae.optimization.constraints import Constraints, read_constraints
from molvae.sections import Section, Spec, read_toml, to_toml, validate

CONFIG = "config.toml"
Direction = Literal["maximize", "minimize"]


class ObjectiveSettings(Section):
    """An output of the oracle, and which way it is to go."""

    name: str = Field(min_length=1)
    direction: Direction = "maximize"

    @property
    def sign(self) -> float:
        """What turns its values so that more is better."""
        return 1.0 if self.direction == "maximize" else -1.0


class FileSettings(Section):
    """A file that the campaign depends on: where it was, and what was in it."""

    path: str
    sha256: str

    @classmethod
    def of(cls, path: Path, content: Path | None = None) -> FileSettings:
        """The settings of a file (or of a folder, which the file ``content`` in it stands for)."""
        return cls(path=str(path.resolve()), sha256=file_sha256(content or path))

    def check(self, content: Path) -> None:
        """Compare with what is there now.

        Raises:
            ArtifactError: it is gone, or is another one.
        """
        if not content.is_file():
            raise ArtifactError("a file that the campaign needs is gone", where=self.path, hint="Put it back.")
        if (found := file_sha256(content)) != self.sha256:
            raise ArtifactError(
                "a file that the campaign needs has changed", where=self.path, got=f"SHA-256 {found[:12]}...",
                expected=f"{self.sha256[:12]}...", hint="Put the one back that the campaign began with.",
            )  # fmt: skip


class OracleSettings(Section):
    """Who says what molecules are worth: oracles by name, one's own command, or people (neither)."""

    names: list[str] = Field(default_factory=list)
    command: str | None = None
    seconds: float | None = Field(default=None, gt=0)
    memory_bytes: int | None = Field(default=None, ge=1)
    retries: int = Field(default=0, ge=0)
    num_workers: int = Field(default=2, ge=0)
    executor: str | None = Field(default=None, exclude=True)  # older campaigns wrote it; it is the process's own now

    @property
    def manual(self) -> bool:
        """Whether people answer, by ask and tell."""
        return not self.names and self.command is None


class CampaignSettings(Section):
    """Everything a campaign depends on; an absent key means none."""

    format: Literal[1] = 1
    seed: int = Field(default=0, ge=0, lt=2**32)
    budget: int = Field(ge=1)
    batch_size: int = Field(default=50, ge=1)
    outputs: list[str] = Field(min_length=1)
    objectives: list[ObjectiveSettings] = Field(min_length=1)
    constraints: list[str] = Field(default_factory=list)
    strategy: Spec
    goal: Spec = Field(default_factory=lambda: {"kind": "single"})  # what campaigns before goals went by
    oracle: OracleSettings = OracleSettings()
    model: FileSettings | None = None
    init: FileSettings | None = None
    library: FileSettings | None = None

    @property
    def constrained(self) -> Constraints:
        """The constraints, read."""
        return read_constraints(self.constraints, self.outputs, self.oracle.names)

    @property
    def measured(self) -> list[str]:
        """Names of the values that a label has to have: the objectives, then what else constraints are on."""
        names = [objective.name for objective in self.objectives]
        return list(dict.fromkeys([*names, *(each.name for each in self.constrained.paid)]))

    def save(self, folder: Path) -> None:
        """Write ``config.toml``, whole or not at all."""
        with atomic_write(folder / CONFIG) as file:
            file.write(to_toml(self))

    @classmethod
    def load(cls, folder: Path) -> CampaignSettings:
        """The settings of the campaign in a folder."""
        return validate(cls, read_toml(folder / CONFIG))


def choose_objectives(
    outputs: list[str], maximize: list[str] | None = None, minimize: list[str] | None = None
) -> list[ObjectiveSettings]:
    """The objectives in the order in which they were named; all outputs, maximised, where none was named.

    Args:
        outputs: of the oracle; empty if people answer, whose objectives are what the outputs are.
        maximize: names.
        minimize: names.

    Raises:
        ConfigError: a name that is no output, or is named twice; no objective at all. `require_columns` has the rest.
    """
    named: list[tuple[str, Direction]] = [(name, "maximize") for name in maximize or []]
    named += [(name, "minimize") for name in minimize or []]
    names = [name for name, _ in named]
    for name in names:
        if outputs and name not in outputs:
            raise ConfigError("an objective that the oracle does not give", where="--maximize, --minimize",
                              got=f"'{name}'", expected=f"one of {', '.join(outputs)}")  # fmt: skip
        if names.count(name) > 1:
            raise ConfigError("an objective named twice", where="--maximize, --minimize", got=f"'{name}'")
    if not named and not outputs:
        raise ConfigError("a campaign without an objective", where="--maximize, --minimize",
                          hint="Name what people will measure, e.g. --maximize activity.")  # fmt: skip
    return [ObjectiveSettings(name=name, direction=way) for name, way in named or [(o, "maximize") for o in outputs]]


TAKEN = ("id", "smiles", "round", "source", "status", "replicates", "feasible", "reason")
"""Columns of a campaign's own in its tables."""


def require_columns(names: Sequence[str]) -> None:
    """Refuse names of values that cannot all be columns: spreadsheets and SQL know no upper and lower case.

    Raises:
        ConfigError: one that is empty or taken, or two that differ in case alone.
    """
    for place, name in enumerate(names):
        folded = name.strip().casefold()
        if folded in ("", *TAKEN):
            raise ConfigError("a value without a name of its own", where="--maximize, --minimize, --constraint", got=f"'{name}'",
                              expected=f"a name other than {', '.join(TAKEN)}")  # fmt: skip
        if alike := [each for each in names[:place] if each.strip().casefold() == folded]:
            raise ConfigError("two values whose names differ in case alone", where="--maximize, --minimize, --constraint",
                              got=f"'{alike[0]}', '{name}'", expected="names that a spreadsheet tells apart",
                              hint="An oracle's value takes another name as in NAME=qed.")  # fmt: skip
