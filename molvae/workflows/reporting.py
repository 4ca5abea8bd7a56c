"""``molvae report``: runs and campaigns as one HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from molvae.errors import InputError
from molvae.files import require_ending, require_writable
from molvae.report.page import Block, Image, Picture, Section, compare
from molvae.sections import read_toml

if TYPE_CHECKING:
    from molvae.workflows.campaign_section import CampaignFiles


def make_report(
    folders: str | Path | Sequence[str | Path], output: str | Path = "report.html", *, seed: int = 0, quiet: bool = False
) -> Path:
    """Write a report of runs and campaigns; the arguments are those of ``molvae report``.

    Args:
        folders: of runs and campaigns, shown in this order.
        output: the HTML file, which stands alone.
        seed: of the samples that are drawn of a run's model.
        quiet: print nothing.

    Returns:
        the file.

    Raises:
        InputError: a folder that is neither a run nor a campaign; an output that cannot be written or is no page by its name.
        MolvaeError: a run or a campaign that cannot be read.
    """
    given = [Path(folder) for folder in ([folders] if isinstance(folders, str | Path) else folders)]
    target = Path(output)
    if not given:
        raise InputError("nothing to report on", where="folders", expected="a run or a campaign")
    try:
        require_writable(target)
    except InputError as error:
        raise InputError(error.what, where=target, hint="Name another place with -o.") from error
    require_ending(target, ".html", ".htm")
    are_campaigns = [is_campaign(folder) for folder in given]  # all of them, before the work begins

    from molvae.workflows.campaign_section import CampaignFiles, campaign_section
    from molvae.workflows.run_report import write_page  # here: a slip is not to wait for torch
    from molvae.workflows.run_section import run_section

    campaigns = {folder: CampaignFiles.read(folder) for folder, yes in zip(given, are_campaigns, strict=True) if yes}
    sections = [
        campaign_section(campaigns[folder]) if folder in campaigns else run_section(folder, seed=seed) for folder in given
    ]
    runs = [section for section, yes in zip(sections, are_campaigns, strict=True) if not yes]
    others = [section for section, yes in zip(sections, are_campaigns, strict=True) if yes]
    beside = [*_compared("Runs compared", runs), *_compared("Campaigns compared", others), *_together(campaigns)]
    write_page(target, sections, beside)
    if not quiet:
        print(f"runs: {len(runs):,}, campaigns: {len(others):,} → {target}")
    return target


def is_campaign(folder: Path) -> bool:
    """Whether a folder is a campaign's (True) or a run's (False).

    Raises:
        InputError: it is neither.
    """
    if not folder.is_dir():
        raise InputError("no such folder" if not folder.exists() else "not a folder", where=folder,
                         expected="a run (`molvae train --out`) or a campaign (`molvae optimize --out`)")  # fmt: skip
    from molvae.optimization.ledger import LEDGER

    if (folder / LEDGER).is_file():
        return True
    config = folder / "config.toml"
    if not config.is_file() or not {"data", "model", "training"} <= set(read_toml(config)):
        raise InputError(
            "a folder that is neither a run nor a campaign", where=folder,
            got=", ".join(sorted(path.name for path in folder.iterdir())) or "nothing in it",
            expected=f"config.toml of a run, or {LEDGER} of a campaign",
        )  # fmt: skip
    return False


def _compared(title: str, sections: Sequence[Section]) -> list[Block]:
    return [compare(title, sections)] if len(sections) > 1 else []


def _together(campaigns: dict[Path, CampaignFiles]) -> list[Block]:
    """Best so far of campaigns that have the same objectives, in one picture."""
    every = [campaign for campaign in campaigns.values() if campaign.has_values]
    if len(every) < 2 or any(each.settings.objectives != every[0].settings.objectives for each in every):
        return []
    from molvae.workflows.campaign_report import progress_picture

    budget = max(each.settings.budget for each in every)
    content = progress_picture({each.name: each.labels for each in every}, budget)
    return [Picture("Best so far, together", Image(content, "best value so far over the labels of each campaign"))]
