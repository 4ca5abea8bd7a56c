"""Properties of a molecule as MOSES defines them, each a function of an RDKit molecule."""

from __future__ import annotations

import contextlib
import io
from functools import lru_cache
from typing import Any

from rdkit import Chem
from rdkit.Chem import QED, Crippen, MolSurf, rdMolDescriptors


PROPERTIES = ("logP", "SA", "QED", "weight", "NP")


def properties(mol: Chem.Mol) -> tuple[float, ...]:
    """All of them, in the order of `PROPERTIES`, for the price of fewer: QED takes logP as an argument."""
    partition = logp(mol)
    return partition, sa_score(mol), qed(mol, partition), weight(mol), np_score(mol)


def logp(mol: Chem.Mol) -> float:
    """Octanol–water partition coefficient, log10 (Wildman and Crippen 1999)."""
    return float(Crippen.MolLogP(mol))


def qed(mol: Chem.Mol, partition: float | None = None) -> float:
    """Quantitative estimate of drug-likeness, 0 to 1 (Bickerton et al. 2012).

    Args:
        mol: the molecule.
        partition: its logP, where it is known and no hydrogen is an atom of the molecule.
    """
    if partition is None or any(mol.GetAtomWithIdx(i).GetAtomicNum() == 1 for i in range(mol.GetNumAtoms())):
        return float(QED.qed(mol))
    # RDKit's `QED.properties`, less what is the same without hydrogens: removing them, and logP again.
    parts = QED.QEDproperties(
        MW=weight(mol),
        ALOGP=partition,
        HBA=sum(len(mol.GetSubstructMatches(acceptor)) for acceptor in QED.Acceptors),
        HBD=rdMolDescriptors.CalcNumHBD(mol),
        PSA=MolSurf.TPSA(mol),
        ROTB=rdMolDescriptors.CalcNumRotatableBonds(mol, rdMolDescriptors.NumRotatableBondsOptions.Strict),
        AROM=len(Chem.GetSSSR(Chem.DeleteSubstructs(Chem.Mol(mol), QED.AliphaticRings))),
        ALERTS=sum(mol.HasSubstructMatch(alert) for alert in QED.StructuralAlerts),
    )
    return float(QED.qed(mol, qedProperties=parts))


def weight(mol: Chem.Mol) -> float:
    """Average molecular weight, g/mol."""
    return float(rdMolDescriptors._CalcMolWt(mol))


def sa_score(mol: Chem.Mol) -> float:
    """Synthetic accessibility, 1 (easy) to 10 (Ertl and Schuffenhauer 2009), by RDKit's own scorer."""
    return float(_sa_scorer().calculateScore(mol))


def np_score(mol: Chem.Mol) -> float:
    """Natural-product likeness, about −5 to 5 (Ertl et al. 2008), by RDKit's own scorer."""
    scorer, model = _np_scorer()
    return float(scorer.scoreMol(mol, model))


@lru_cache(maxsize=1)
def _sa_scorer() -> Any:
    from rdkit.Contrib.SA_Score import sascorer

    return sascorer


@lru_cache(maxsize=1)
def _np_scorer() -> tuple[Any, Any]:
    from rdkit.Contrib.NP_Score import npscorer

    with contextlib.redirect_stderr(io.StringIO()):  # it announces itself
        return npscorer, npscorer.readNPModel()
