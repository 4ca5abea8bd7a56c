"""``molvae report`` as a user meets it."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Molvae
from tests.report.pages import Page


def test_a_run_becomes_a_page(molvae: Molvae, finished_run: Path) -> None:
    answer = molvae("report", finished_run, "-o", "page.html")
    assert (answer.status, answer.out, answer.err) == (0, "runs: 1, campaigns: 0 → page.html\n", "")
    assert Page.read(Path("page.html")).stands_alone()
    assert molvae("report", finished_run, "--quiet").out == "" and Path("report.html").is_file()


def test_a_folder_that_is_neither_is_one_line_and_status_2(molvae: Molvae) -> None:
    Path("empty").mkdir()
    refused = molvae("report", "empty", "-o", "page.pdf")
    assert refused.status == 2 and "called something else than it will be at page.pdf: got '.pdf'; expected .html or .htm" in refused.err
    answer = molvae("report", "empty")
    assert answer.status == 2 and not Path("report.html").exists()
    (line,) = answer.err.splitlines()
    assert line.startswith("error: a folder that is neither a run nor a campaign at empty: got nothing in it; expected config.toml")


def test_a_report_that_cannot_be_written_names_the_option(molvae: Molvae, finished_run: Path) -> None:
    Path("report.html").mkdir()
    answer = molvae("report", finished_run)
    assert (answer.status, answer.err) == (2, "error: cannot write: is a directory at report.html. Name another place with -o.\n")
