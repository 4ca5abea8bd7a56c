"""Molecules that no result has had a say in: from a library, from a model's prior, or from the sample that ships."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cache
from itertools import islice

import numpy as np

from molvae.chem.molecules import settled_or_none
from molvae.data.sources import resolve
from molvae.data.tables import Table
from molvae.optimization.constraints.gate import Gate
from molvae.optimization.space import LatentSpace
from molvae.optimization.strategies.base import Proposal, Tools
from molvae.optimization.strategies.seeking import sought

_POINTS = 128  # decoded at once: the decoder works in blocks of this
_PATIENCE = 2000  # molecules that constraints refuse one after the other, before the rest is left unread
_MAX_DRAWS = 40  # points of the prior for one molecule, on the average, before it has nothing new to say


def starting_molecules(tools: Tools, num: int, taken: Collection[str]) -> list[Proposal]:
    """New molecules to begin with, as many as asked for if there are so many.

    They come from the library; without one from the model's prior; with neither from the 50,000 molecules of MOSES that
    ship with molvae. A campaign that is given a library therefore says where it starts, and one that is not still can.
    All are admitted by the constraints; where those admit too few, a search of the constraints alone finds the rest.

    Args:
        tools: of the round.
        num: how many.
        taken: canonical SMILES that must not be among them.
    """
    if num == 0:
        return []
    if tools.library or tools.space is None:
        source = from_library(tools.library or bundled_sample(), tools.rng, taken)
    else:
        source = from_prior(tools.space, num, tools.rng, taken)
    found = list(islice(admitted(source, tools.gate, _PATIENCE), num))
    if tools.gate and len(found) < num:
        seen = {*taken, *(proposal.smiles for proposal in found)}
        found += [Proposal(smiles, source="seeking") for smiles in sought(tools, num - len(found), seen)]
    return found


def admitted(proposals: Iterable[Proposal], gate: Gate, patience: int | None = None) -> Iterator[Proposal]:
    """Those that the constraints admit, until they refuse ``patience`` one after the other."""
    refused = 0
    for proposal in proposals:
        if gate.admits(proposal.smiles):
            refused = 0
            yield proposal
        else:
            refused += 1
        if refused == patience:
            return


def from_library(
    library: Sequence[str], rng: np.random.Generator, taken: Collection[str], source: str = "library"
) -> Iterator[Proposal]:
    """The molecules of a library that are valid and new, each once, in random order."""
    seen: set[str] = set()
    for place in rng.permutation(len(library)):
        if library[place] in taken:
            continue
        smiles = settled_or_none(library[place])
        if smiles is not None and smiles not in taken and smiles not in seen:
            seen.add(smiles)
            yield Proposal(smiles, source=source)


def from_prior(
    space: LatentSpace, num: int, rng: np.random.Generator, taken: Collection[str], max_draws: int = _MAX_DRAWS
) -> Iterator[Proposal]:
    """What points of the prior mean, if it is a molecule and new, each once; at most ``max_draws`` points a molecule."""
    seen: set[str] = set()
    for _ in range(1 + max_draws * num // _POINTS):
        z = space.sample(_POINTS, rng)
        for point, smiles in zip(z, space.decode(z), strict=True):
            if smiles is not None and smiles not in taken and smiles not in seen:
                seen.add(smiles)
                yield Proposal(smiles, point.astype(np.float64), "prior")


@cache
def bundled_sample() -> tuple[str, ...]:
    """The training molecules of the sample of MOSES that ships."""
    blocks = Table(resolve("sample").splits["train"]).records()
    return tuple(smiles for block in blocks for smiles in block.smiles)
