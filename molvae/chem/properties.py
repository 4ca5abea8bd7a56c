"""Properties of a molecule as MOSES defines them, each a function of an RDKit molecule."""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from rdkit import Chem
from rdkit.Chem import QED, rdFingerprintGenerator, rdMolDescriptors

from molvae.chem.screening import Composition, PatternSet

PROPERTIES = ("logP", "SA", "QED", "weight", "NP")


def properties(mols: Sequence[Chem.Mol], compositions: Sequence[Composition]) -> list[tuple[float, ...]]:
    """All properties of each molecule in the order of `PROPERTIES`; logP, which QED needs, is computed once."""
    partitions = [logp(mol) for mol in mols]
    drug_likeness = [qed(*known) for known in zip(mols, partitions, compositions, strict=True)]
    others = [[function(mol) for mol in mols] for function in (sa_score, weight, np_score)]
    return list(zip(partitions, others[0], drug_likeness, *others[1:], strict=True))


def logp(mol: Chem.Mol) -> float:
    """Octanol–water partition coefficient, log10 (Wildman and Crippen 1999)."""
    return float(rdMolDescriptors.CalcCrippenDescriptors(mol)[0])


def qed(mol: Chem.Mol, partition: float | None = None, composition: Composition | None = None) -> float:
    """Quantitative estimate of drug-likeness, 0 to 1 (Bickerton et al. 2012).

    Args:
        mol: the molecule.
        partition: its logP, where it is known and no hydrogen is an atom of the molecule.
        composition: its composition, where it is known.
    """
    composition = composition or Composition.of(mol)
    if partition is None or any(kind.element == 1 for kind in composition.atoms):
        return float(QED.qed(mol))  # type: ignore[no-untyped-call]
    # RDKit's `QED.properties`, less what is the same without hydrogens: removing them, and logP again.
    parts = QED.QEDproperties(  # type: ignore[no-untyped-call]
        MW=weight(mol),
        ALOGP=partition,
        HBA=sum(len(mol.GetSubstructMatches(acceptor)) for acceptor in QED.Acceptors),
        HBD=rdMolDescriptors.CalcNumHBD(mol),
        PSA=rdMolDescriptors.CalcTPSA(mol),
        ROTB=rdMolDescriptors.CalcNumRotatableBonds(mol, rdMolDescriptors.NumRotatableBondsOptions.Strict),
        AROM=len(Chem.GetSSSR(Chem.DeleteSubstructs(Chem.Mol(mol), QED.AliphaticRings))),
        ALERTS=_alerts().num_matches(mol, composition),
    )
    return float(QED.qed(mol, qedProperties=parts))  # type: ignore[no-untyped-call]


def weight(mol: Chem.Mol) -> float:
    """Average molecular weight, g/mol."""
    return float(rdMolDescriptors._CalcMolWt(mol))


def sa_score(mol: Chem.Mol) -> float:
    """Synthetic accessibility, 1 (easy) to 10 (Ertl and Schuffenhauer 2009), by RDKit's own scorer."""
    return float(_sa_scorer().calculateScore(mol))


def np_score(mol: Chem.Mol) -> float:
    """Natural-product likeness, about −5 to 5 (Ertl et al. 2008), with RDKit's model.

    The sum of the model's values of the distinct environments an atom, beyond ±4 logarithmic: RDKit's `scoreMol`,
    which takes twice as long because it makes a fingerprint generator and a class for each molecule.
    """
    generator, model = _np_model()
    environments = generator.GetSparseCountFingerprint(mol).GetNonzeroElements()
    score = sum(model.get(environment, 0.0) for environment in environments) / mol.GetNumAtoms()
    excess = abs(score) - 4.0
    return float(score if excess <= 0.0 else math.copysign(4.0 + math.log10(excess + 1.0), score))


@lru_cache(maxsize=1)
def _alerts() -> PatternSet:
    return PatternSet(QED.StructuralAlertSmarts)


@lru_cache(maxsize=1)
def _sa_scorer() -> Any:
    from rdkit.Contrib.SA_Score import sascorer

    return sascorer


@lru_cache(maxsize=1)
def _np_model() -> tuple[Any, dict[int, float]]:
    """What makes fingerprints of radius 2, and values by environment."""
    from rdkit.Contrib.NP_Score import npscorer

    with contextlib.redirect_stderr(io.StringIO()):  # it announces itself
        return rdFingerprintGenerator.GetMorganGenerator(radius=2), npscorer.readNPModel()
