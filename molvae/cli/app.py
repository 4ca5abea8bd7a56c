"""The `molvae` command: its verbs, and the one place that turns every error into one line."""

from __future__ import annotations

import sys
import tempfile
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer
from pydantic import ValidationError

import molvae
from molvae.cli import data, describe, evaluate, fit_prior, generate, optimize, report, score, training
from molvae.cli.options import say
from molvae.errors import InputError, JobError, MolvaeError
from molvae.sections import expectation

app = typer.Typer(
    name="molvae",
    help="Molecular generative design: train a model on a SMILES file, sample it, encode and decode molecules.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
training.register(app)
generate.register(app)
fit_prior.register(app)
describe.register(app)
evaluate.register(app)
score.register(app)
optimize.register(app)
report.register(app)
app.add_typer(data.app, name="data")


def _show_version(asked: bool) -> None:
    if asked:
        say(f"molvae {molvae.__version__}")
        raise typer.Exit


@app.callback()
def _molvae(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and leave.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """What stands before the verb."""


USER_ERROR, DEFECT, INTERRUPTED = 2, 1, 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its status.

    0; 2 for a user's error, 1 for a defect, 3 for finished with failures, 130 for interrupted.
    """
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        status = app(args=words or ["--help"], prog_name="molvae", standalone_mode=False)
    except typer.TyperException as error:
        return _refuse(_usage_line(error))
    except JobError as error:
        return error.status
    except MolvaeError as error:
        return _refuse(str(error))
    except typer.Abort as aborted:
        # Typer takes the end of a file for the end of an answer; molvae asks nothing.
        if isinstance(aborted.__cause__, EOFError):
            return _report_defect(aborted.__cause__)
        status = INTERRUPTED
    except KeyboardInterrupt:
        status = INTERRUPTED
    except SystemExit as ended:
        # Typer's answer to a reader that has gone (`molvae ... | head`): nobody is left to tell.
        return 0 if isinstance(ended.__context__, BrokenPipeError) else _report_defect(ended)
    except OSError as error:
        return _refuse(_os_line(error))
    except MemoryError as error:
        return _refuse(f"more memory than this machine has to give: got {str(error) or 'no more'}. Ask for less at a time.")
    except Exception as error:
        return _report_defect(error)
    if status == INTERRUPTED:  # typer turns Ctrl-C into this status itself
        print("interrupted", file=sys.stderr)
    return status if isinstance(status, int) else 0


def _refuse(line: str) -> int:
    print(f"error: {line}", file=sys.stderr)
    return USER_ERROR


def _usage_line(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    advice = f"See `{'molvae' if context is None else context.command_path} --help`."
    invalid = error.__cause__
    parameter = getattr(error, "param", None)
    if isinstance(invalid, ValidationError) and parameter is not None:
        where = parameter.get_error_hint().replace("'", "")
        value = invalid.errors()[0].get("input")
        return str(InputError("a value that cannot be", where=where, got=repr(value), expected=expectation(invalid), hint=advice))
    line = " ".join(error.format_message().split())
    return f"{line if line.endswith(('.', '?')) else f'{line}.'} {advice}"


def _os_line(error: OSError) -> str:
    place = f" at {error.filename}" if error.filename else ""
    return f"the system refused{place}: got {error.strerror or error}"


def _report_defect(error: BaseException) -> int:
    with tempfile.NamedTemporaryFile(
        "w", prefix="molvae-", suffix=".traceback", delete=False, encoding="utf-8"
    ) as file:
        traceback.print_exception(error, file=file)
    print(
        f"defect of molvae: {type(error).__name__}: {error}. The traceback is in {file.name}",
        file=sys.stderr,
    )
    return DEFECT
