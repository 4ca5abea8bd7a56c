"""A library in random order."""

from __future__ import annotations

from itertools import islice
from typing import ClassVar

from molvae.optimization.history import History
from molvae.optimization.strategies.base import STRATEGIES, Proposal, Strategy, Tools
from molvae.optimization.strategies.starting import admitted, from_library


@STRATEGIES.register("screen")
class Screen(Strategy):
    """Molecules of the library that have not been asked about, each as likely as the others: virtual screening."""

    needs_library: ClassVar[bool] = True

    def propose(self, history: History, num: int, tools: Tools) -> list[Proposal]:
        """None when the library is spent."""
        found = list(islice(admitted(from_library(tools.library, tools.rng, history.known), tools.gate), num))
        if len(found) < num:
            tools.log(f"the library of {len(tools.library):,} molecules is spent")
        return found
