"""A generated set, analysed once: what every metric needs, an entry per distinct molecule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from molvae.chem.fingerprints import NUM_BYTES
from molvae.chem.profile import PROPERTIES, Profile
from molvae.evaluation.profiles import Failure

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Labels:
    """Names that molecules carry, any number each, as indices into a table.

    Attributes:
        table: names.
        index: for each occurrence, which name.
        owner: for each occurrence, which molecule.
    """

    table: list[str]
    index: Integers
    owner: Integers

    @classmethod
    def of(cls, names: Sequence[Sequence[str]]) -> Labels:
        """Labels of molecules in order."""
        table: dict[str, int] = {}
        index = [table.setdefault(name, len(table)) for carried in names for name in carried]
        owner = np.repeat(np.arange(len(names)), [len(carried) for carried in names])
        return cls(list(table), np.array(index, dtype=np.int64), owner.astype(np.int64))

    def counts(self, weights: Floats) -> Floats:
        """How often each name occurs when molecule ``i`` is counted ``weights[i]`` times."""
        return np.bincount(self.index, weights[self.owner], len(self.table)).astype(np.float64)


@dataclass(frozen=True)
class GeneratedSet:
    """The valid molecules of a generated set, an entry per distinct one in order of first appearance.

    Attributes:
        num_lines: lines read, blank ones included.
        order: for each valid line, which molecule it is.
        canonical: canonical SMILES.
        counts: how often each occurs.
        fingerprints: packed ``(molecules, 128)``.
        passes: whether the MOSES filters let it pass.
        properties: values ``(molecules,)`` by name.
        fragments: BRICS fragments.
        scaffolds: scaffolds with two rings or more.
        failures: strings on which RDKit failed; they count as invalid.
    """

    num_lines: int
    order: Integers
    canonical: list[str]
    counts: Integers
    fingerprints: npt.NDArray[np.uint8]
    passes: npt.NDArray[np.bool_]
    properties: dict[str, Floats]
    fragments: Labels
    scaffolds: Labels
    failures: list[Failure]

    @classmethod
    def of(cls, profiles: Sequence[Profile | None], failures: list[Failure]) -> GeneratedSet:
        """From a profile per line, None for invalid lines."""
        place: dict[str, int] = {}
        distinct: list[Profile] = []
        order = []
        for profile in profiles:
            if profile is None:
                continue
            if profile.canonical not in place:
                place[profile.canonical] = len(distinct)
                distinct.append(profile)
            order.append(place[profile.canonical])
        indices = np.array(order, dtype=np.int64)
        values = np.array([profile.properties for profile in distinct], dtype=np.float64).reshape(-1, len(PROPERTIES))
        bits = np.frombuffer(b"".join(profile.fingerprint for profile in distinct), dtype=np.uint8)
        return cls(
            num_lines=len(profiles),
            order=indices,
            canonical=list(place),
            counts=np.bincount(indices, minlength=len(distinct)),
            fingerprints=bits.reshape(-1, NUM_BYTES),
            passes=np.array([bool(profile.passes_filters) for profile in distinct], dtype=np.bool_),
            properties=dict(zip(PROPERTIES, values.T, strict=True)),
            fragments=Labels.of([profile.fragments for profile in distinct]),
            scaffolds=Labels.of([(profile.scaffold,) if profile.scaffold else () for profile in distinct]),
            failures=failures,
        )

    @property
    def num_valid(self) -> int:
        """Valid lines, duplicates counted."""
        return len(self.order)

    def num_unique(self, first: int) -> int:
        """Distinct molecules among the first valid lines."""
        return len(np.unique(self.order[:first]))
