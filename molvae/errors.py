"""The errors a user can meet: one tree, one line each, with what to do.

Every message reads ``<what> at <where>: got <value>; expected <range>. <what to do>``. The command line prints it after
``error:`` and exits with status 2; from Python the same line is the exception's text.
"""

from __future__ import annotations

from typing import Self

LONGEST_VALUE = 200
"""Characters of an offending value that a message shows; a line of a hostile file may have a million."""


def _shown(value: object, longest: int | None = None) -> str:
    """A value on one line: what does not print (new lines, NUL, terminal escapes) is escaped, what is long is cut."""
    text = str(value)
    if longest is not None and len(text) > longest:
        text = f"{text[:longest]}... ({len(text)} characters)"
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


class MolvaeError(Exception):
    """Anything that molvae refuses on purpose.

    Args:
        what: the complaint, in a few words.
        where: the file, key, line or argument it is about.
        got: the value found there.
        expected: the values that would have been right.
        hint: what to do about it, a sentence.
    """

    def __init__(
        self, what: str, *, where: object = None, got: object = None, expected: object = None, hint: str | None = None
    ):
        self.what, self.where, self.got, self.expected, self.hint = what, where, got, expected, hint
        super().__init__(self._sentence())

    def _sentence(self) -> str:
        line = self.what if self.where is None else f"{self.what} at {_shown(self.where)}"
        details = []
        if self.got is not None:
            details.append(f"got {_shown(self.got, LONGEST_VALUE)}")
        if self.expected is not None:
            details.append(f"expected {_shown(self.expected)}")
        if details:
            line += ": " + "; ".join(details)
        if self.hint:
            line = f"{line.rstrip('.')}. {self.hint}"
        return line

    def at(self, where: object) -> Self:
        """The same complaint about another place: an option's name, where only the value was known."""
        return type(self)(self.what, where=where, got=self.got, expected=self.expected, hint=self.hint)

    def __reduce__(self) -> tuple[object, ...]:
        """Survive the way back from a worker process, fields and all."""
        return _rebuild, (type(self), self.what, self.where, self.got, self.expected, self.hint)


def _rebuild(
    kind: type[MolvaeError], what: str, where: object, got: object, expected: object, hint: str | None
) -> MolvaeError:
    return kind(what, where=where, got=got, expected=expected, hint=hint)


class InputError(MolvaeError):
    """A file, a molecule or an argument that cannot be used as given."""


class ConfigError(MolvaeError):
    """A configuration that contradicts itself or names something that does not exist."""


class ArtifactError(MolvaeError):
    """A model, checkpoint or campaign on disk that is missing, damaged or of another version."""


class OracleError(MolvaeError):
    """A property that could not be computed."""


class FailingOracleError(OracleError):
    """An oracle that fails every time; the campaign has stopped and lost nothing."""


class JobError(MolvaeError):
    """Processes that failed and have said why themselves; ``status`` is the exit status that they left."""

    status: int = 2


class NumericalError(MolvaeError):
    """A computation that left the finite numbers."""
