"""Oracles of molvae's own: functions of an RDKit molecule, by name, and similarity to a lead."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from molvae.chem.count_fingerprints import ecfp4_similarity
from molvae.chem.descriptors import (
    heavy_atoms,
    hydrogen_acceptors,
    hydrogen_donors,
    num_aromatic_rings,
    num_rings,
    rotatable_bonds,
    tpsa,
)
from molvae.chem.filters import num_alerts
from molvae.chem.molecules import Molecule, parse
from molvae.chem.penalized import penalized_logp
from molvae.chem.properties import logp, np_score, sa_score, weight
from molvae.chem.substructures import count, require_pattern
from molvae.oracles.base import Oracle
from molvae.oracles.tasks import TASKS


class Property(NamedTuple):
    """A function of a molecule, and what it is in one line."""

    description: str
    function: Callable[[Molecule], float]


PROPERTIES: dict[str, Property] = {
    "logp": Property("octanol–water partition coefficient, log10 (Wildman and Crippen 1999)", logp),
    "penalized_logp": Property("logP − SA − large rings, each z-scored over ZINC250k; unbounded", penalized_logp),
    "sa": Property("synthetic accessibility, 1 easy to 10 hard (Ertl and Schuffenhauer 2009)", sa_score),
    "np": Property("natural-product likeness, about −5 to 5 (Ertl et al. 2008)", np_score),
    "weight": Property("average molecular weight, g/mol", weight),
    "tpsa": Property("topological polar surface area, Å² (Ertl et al. 2000)", tpsa),
    "rings": Property("rings, by the smallest set of them", num_rings),
    "aromatic_rings": Property("aromatic rings", num_aromatic_rings),
    "rotatable_bonds": Property("rotatable bonds, RDKit's strict definition", rotatable_bonds),
    "hbd": Property("hydrogen-bond donors", hydrogen_donors),
    "hba": Property("hydrogen-bond acceptors", hydrogen_acceptors),
    "heavy_atoms": Property("atoms other than hydrogen", heavy_atoms),
    "alerts": Property("structural alerts: MCF and PAINS patterns of MOSES that match", num_alerts),
    **{name: Property(task.description, task) for name, task in TASKS.items()},
}


class MoleculeOracle(Oracle):
    """An oracle with one output that works on a parsed molecule, which several of them can share. Cheap and harmless."""

    @abstractmethod
    def value(self, molecule: Molecule) -> float:
        """What the molecule is worth."""

    def prepare(self) -> None:
        """Read targets and tables."""
        self.value(parse("CCO"))

    def answer(self, smiles_list: Sequence[str]) -> list[Mapping[str, float]]:
        """The value of each molecule."""
        return [{self.outputs[0]: self.value(parse(smiles))} for smiles in smiles_list]


@dataclass(frozen=True)
class PropertyOracle(MoleculeOracle):
    """A property or a benchmark task.

    Attributes:
        name: in `PROPERTIES`.
        outputs: what the value is called.
    """

    name: str
    outputs: tuple[str, ...]

    def value(self, molecule: Molecule) -> float:
        """The property."""
        return PROPERTIES[self.name].function(molecule)


@dataclass(frozen=True)
class LeadSimilarity(MoleculeOracle):
    """Similarity to a lead: Tanimoto similarity of ECFP4 bits.

    Attributes:
        lead: SMILES.
        outputs: what the value is called.
    """

    lead: str
    outputs: tuple[str, ...] = ("similarity",)

    def value(self, molecule: Molecule) -> float:
        """0 to 1."""
        return ecfp4_similarity(molecule, self.lead)


@dataclass(frozen=True)
class SubstructureCount(MoleculeOracle):
    """How often a pattern matches.

    Attributes:
        smarts: the pattern.
        outputs: what the value is called.
    """

    smarts: str
    outputs: tuple[str, ...] = ("matches",)

    @classmethod
    def of(cls, smarts: str) -> SubstructureCount:
        """The count of a pattern that RDKit can read.

        Raises:
            InputError: it cannot.
        """
        require_pattern(smarts)
        return cls(smarts)

    def value(self, molecule: Molecule) -> float:
        """Matches that differ in their atoms."""
        return float(count(molecule, self.smarts))
