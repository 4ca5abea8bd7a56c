"""An external command as an oracle: SMILES on standard input, one per line; a line of JSON or CSV per molecule out."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from molvae.errors import OracleError
from molvae.oracles.answers import read_lines
from molvae.oracles.base import Crashed, Nonsense, Oracle, OutOfMemory

MAX_OUTPUT_BYTES = 1 << 20
"""Of standard output per molecule; a program that says more is stopped."""

_KEPT_ERROR_BYTES = 1 << 14
_NO_MEMORY = ("memoryerror", "bad_alloc", "cannot allocate memory", "out of memory")


@dataclass(frozen=True)
class CommandOracle(Oracle):
    """A program of the user's, started anew for each call, without a shell.

    It runs in the process group of the worker that starts it, and so ends with it: at the time limit, and when the
    driver goes, with every process that it started.

    Attributes:
        words: the program and its arguments.
        folder: where it runs.
        outputs: names of the values.
        named: whether these names are the user's; see `read_answer`.
        batch_size: molecules that one start is given at most.
    """

    words: tuple[str, ...]
    folder: str
    outputs: tuple[str, ...]
    named: bool = True
    batch_size: int = 1

    def answer(self, smiles_list: Sequence[str]) -> list[Mapping[str, float]]:
        """The values of each molecule, from one start of the program.

        Raises:
            OracleError: it ended with another status than 0; `Crashed`, `OutOfMemory`, `Nonsense`.
        """
        text = run_program(
            self.words,
            self.folder,
            "".join(f"{smiles}\n" for smiles in smiles_list),
            MAX_OUTPUT_BYTES * len(smiles_list),
        )
        return [*read_lines(text, smiles_list, self.outputs, named=self.named)]


def run_program(words: Sequence[str], folder: str, text: str, max_bytes: int) -> str:
    """What a program writes when it is given a text.

    Args:
        words: the program and its arguments.
        folder: where it runs.
        text: its standard input.
        max_bytes: of standard output; more is nonsense.

    Raises:
        OracleError: it does not start, or ends with another status than 0; `Crashed`, `OutOfMemory`, `Nonsense`.
    """
    with tempfile.TemporaryFile() as given:  # a pipe would fill up where the program does not read
        given.write(text.encode())
        given.seek(0)
        try:
            process = subprocess.Popen(
                words, cwd=folder, stdin=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
            )
        except OSError as error:
            raise OracleError(
                "the command does not start",
                got=error.strerror or str(error),
                hint=("A script needs a first line such as #!/usr/bin/env python3."),
            ) from error
    with process:
        try:
            out, said = _listen(process, max_bytes)
            process.wait()
        finally:
            process.kill()
    if process.returncode != 0:
        raise _failure(process.returncode, said)
    return out.decode(errors="replace")


def _listen(process: subprocess.Popen[bytes], max_bytes: int) -> tuple[bytes, bytes]:
    """Standard output, and the end of standard error."""
    out, said = bytearray(), bytearray()
    with selectors.DefaultSelector() as selector:
        for stream, kept in ((process.stdout, out), (process.stderr, said)):
            if stream is not None:
                selector.register(stream, selectors.EVENT_READ, kept)
        while selector.get_map():
            for key, _ in selector.select():
                if block := os.read(key.fd, 1 << 16):
                    key.data.extend(block)
                else:
                    selector.unregister(key.fileobj)
            del said[:-_KEPT_ERROR_BYTES]
            if len(out) > max_bytes:
                raise Nonsense("an output without end", got=f"over {max_bytes:,} bytes")
    return bytes(out), bytes(said)


def _failure(status: int, said: bytes) -> OracleError:
    """The end of a program that did not end well."""
    lines = [line.strip() for line in said.decode(errors="replace").splitlines() if line.strip()]
    last = lines[-1] if lines else None
    if status < 0:
        name = signal.Signals(-status).name if -status in [*signal.Signals] else f"signal {-status}"
        return Crashed(f"the command was killed by {name}", got=last)
    if last and any(word in last.casefold() for word in _NO_MEMORY):
        return OutOfMemory(f"the command ran out of memory (status {status})", got=last)
    return OracleError(f"the command ended with status {status}", got=last)
