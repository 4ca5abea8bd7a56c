"""Records of delimited text (.csv, .tsv): a quotation mark that is never closed costs its own line only."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator

_MAX_JOINED_LINES = 100  # of one quoted field with line ends in it
_MAX_JOINED_CHARACTERS = 100_000  # the csv module refuses longer fields


def decode(line: bytes) -> tuple[str, str]:
    """The text of a line and what is wrong with it; bytes that are not UTF-8 become ``\\xNN``."""
    try:
        return line.decode(), ""
    except UnicodeDecodeError:
        return line.decode(errors="backslashreplace"), "not UTF-8 text"


def split_fields(text: str, delimiter: str) -> tuple[list[str], str]:
    """The fields of one record and what is wrong with it (``an open quotation mark``, say)."""
    if '"' not in text:
        return text.split(delimiter), ""
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True), []), ""
    except csv.Error as error:
        return [text], _OPEN if "unexpected end" in str(error) else f"a field that cannot be read: {error}"


_OPEN = "a quotation mark that is not closed"


class DelimitedRecords:
    """Reads records of a known width, joining the lines of a quoted field.

    Args:
        lines: blocks of lines without their ends, the header first.
        delimiter: between fields.
        width: fields of a record.
        place: the field that may not hold a line end.
    """

    def __init__(self, lines: Iterator[list[bytes]], delimiter: str, width: int, place: int):
        self.delimiter, self.width, self.place = delimiter, width, place
        self._lines = (line for block in lines for line in block)
        self._ahead: deque[bytes] = deque()

    def __iter__(self) -> Iterator[tuple[int, list[str], str]]:
        """Line number, fields and problem of each record."""
        number = 1
        for line in self._next_lines():
            text, problem = decode(line)
            fields, trouble = split_fields(text, self.delimiter)
            extra = 0
            if trouble is _OPEN and not problem:
                fields, trouble, extra = self._joined(text)
            if number > 1:
                yield number, fields, problem or trouble or self._misfit(text, fields)
            number += 1 + extra

    def _next_lines(self) -> Iterator[bytes]:
        while True:
            if self._ahead:
                yield self._ahead.popleft()
            elif (line := next(self._lines, None)) is not None:
                yield line
            else:
                return

    def _joined(self, text: str) -> tuple[list[str], str, int]:
        """The record that begins here and goes on in the following lines, or else this line and its problem."""
        whole = text
        for count in range(1, _MAX_JOINED_LINES):
            if count > len(self._ahead):
                line = next(self._lines, None)
                if line is None:
                    break
                self._ahead.append(line)
            whole += "\n" + decode(self._ahead[count - 1])[0]
            if len(whole) > _MAX_JOINED_CHARACTERS:
                break
            fields, trouble = _parse_joined(whole, self.delimiter)
            if not trouble and len(fields) == self.width and "\n" not in fields[self.place]:
                for _ in range(count):
                    self._ahead.popleft()
                return fields, "", count
            if trouble is not _OPEN:
                break
        return [text], _OPEN, 0

    def _misfit(self, text: str, fields: list[str]) -> str:
        if not text.strip(" \t,"):
            return "an empty line"
        if len(fields) != self.width:
            return f"{len(fields)} fields where the header has {self.width}"
        return "" if fields[self.place].strip() else "no SMILES"


def _parse_joined(text: str, delimiter: str) -> tuple[list[str], str]:
    try:
        # not str.splitlines: a form feed or U+2028 inside a field does not end a line of the file
        lines = (line + "\n" for line in text.split("\n"))
        records = list(csv.reader(lines, delimiter=delimiter, strict=True))
    except csv.Error as error:
        return [], _OPEN if "unexpected end" in str(error) else str(error)
    return (records[0], "") if len(records) == 1 else ([], "more than one record")
