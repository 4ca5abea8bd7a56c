"""What the campaign makes sure of before a proposal costs anything, whatever strategy it came from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Sequence

from molvae.chem.molecules import settled_or_none
from molvae.optimization.constraints import Gate
from molvae.optimization.strategies import Proposal


def admit(
    proposals: Sequence[Proposal], known: Container[str], num: int, log: Callable[[str], None], gate: Gate | None = None
) -> list[Proposal]:
    """The proposals that are valid, canonical, distinct, not known and through the gate, at most ``num``; the rest is logged.

    Nothing takes the place of what is dropped: a strategy that proposes badly proposes less.
    """
    admitted: dict[str, Proposal] = {}
    dropped: Counter[str] = Counter()
    for proposal in proposals:
        if (problem := _problem(proposal.smiles, known, admitted, gate or Gate())) is not None:
            dropped[problem] += 1
        elif len(admitted) == num:
            dropped["more than were asked for"] += 1
        else:
            admitted[proposal.smiles] = proposal
    for problem, count in sorted(dropped.items()):
        log(f"{count} of {len(proposals)} proposals dropped: {problem}")
    return list(admitted.values())


def _problem(smiles: str, known: Container[str], admitted: Container[str], gate: Gate) -> str | None:
    if smiles in admitted:
        return "proposed twice"
    if smiles in known:
        return "known already"
    canonical = settled_or_none(smiles)
    if canonical is None:
        return "no molecule"
    if canonical != smiles:
        return "not canonical"
    return None if gate.admits(smiles) else "violates a constraint"
