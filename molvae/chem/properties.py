"""Properties of a molecule as MOSES defines them, each a function of an RDKit molecule."""

from __future__ import annotations

import contextlib
import io
from functools import lru_cache
from typing import Any

from rdkit import Chem
from rdkit.Chem import QED, Crippen, rdMolDescriptors


def logp(mol: Chem.Mol) -> float:
    """Octanol–water partition coefficient, log10 (Wildman and Crippen 1999)."""
    return float(Crippen.MolLogP(mol))


def qed(mol: Chem.Mol) -> float:
    """Quantitative estimate of drug-likeness, 0 to 1 (Bickerton et al. 2012)."""
    return float(QED.qed(mol))


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
