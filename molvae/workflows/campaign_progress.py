"""What a user sees of a campaign: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import sys
import time
from typing import Any, TextIO

from tqdm import tqdm

from molvae.optimization.campaign import Campaign

EVERY_SECONDS = 15.0


class CampaignProgress:
    """Shows labels paid for, the best value so far and the time left. Called with the campaign when something changed.

    Args:
        quiet: show nothing.
        stream: where to; a terminal gets a bar.
    """

    def __init__(self, quiet: bool = False, stream: TextIO | None = None):
        self._stream = sys.stderr if stream is None else stream
        self._quiet = quiet
        self._bar: tqdm[Any] | None = None
        self._first: int | None = None

    def __call__(self, campaign: Campaign) -> None:
        """Show how far it is."""
        if self._quiet:
            return
        if self._first is None:
            self._begin(campaign)
        if self._bar is not None:
            self._bar.set_postfix_str(_best(campaign), refresh=False)
            self._bar.update(campaign.num_paid - self._bar.n)
        elif time.monotonic() - self._said >= EVERY_SECONDS:
            self._say(campaign)

    def close(self) -> None:
        """Leave the bar as it is."""
        if self._bar is not None:
            self._bar.close()

    def _begin(self, campaign: Campaign) -> None:
        self._first, self._began = campaign.num_paid, time.monotonic()
        self._said = self._began
        if self._stream.isatty():
            budget = campaign.settings.budget
            self._bar = tqdm(initial=self._first, total=budget, unit="label", file=self._stream, dynamic_ncols=True)

    def _say(self, campaign: Campaign) -> None:
        self._said = time.monotonic()
        done = campaign.num_paid - (self._first or 0)
        left = (self._said - self._began) / done * campaign.budget_left if done else None
        line = f"labels {campaign.num_paid:,}/{campaign.settings.budget:,}  {_best(campaign)}"
        print(line + ("" if left is None else f"  left {_duration(left)}"), file=self._stream, flush=True)


def _best(campaign: Campaign) -> str:
    name = campaign.settings.objectives[0].name
    failed = f"  failed {campaign.num_failed:,}" if campaign.num_failed else ""
    failed += f"  infeasible {campaign.num_infeasible:,}" if campaign.num_infeasible else ""
    return f"best {name} {'none' if campaign.best is None else f'{campaign.best:.4g}'}{failed}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
