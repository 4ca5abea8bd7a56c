"""The 20 goal-directed tasks of PMO that need RDKit alone, as data.

Definitions of GuacaMol 0.5.5 (Brown et al. 2019; its second suite, and QED and C7H8N2O2 of its trivial one), which TDC
1.1.14 shares. TDC before September 2022 counted the atoms of an isomer wrongly; PMO's published figures for the isomers,
zaleplon and sitagliptin may rest on that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from molvae.chem.molecules import Molecule
from molvae.chem.properties import logp, qed
from molvae.oracles.features import (
    Contains,
    Descriptor,
    Feature,
    Isomer,
    Lacks,
    Like,
    Pharmacophore,
    Similarity,
)
from molvae.oracles.modifiers import (
    AsIs,
    AtLeast,
    AtMost,
    Clipped,
    Gaussian,
    Modifier,
    arithmetic_mean,
    geometric_mean,
)

AS_IS = AsIs()


@dataclass(frozen=True)
class Term:
    """A feature, and how its value counts."""

    feature: Feature
    modifier: Modifier = AS_IS

    def __call__(self, molecule: Molecule) -> float:
        """What the molecule's value counts."""
        return self.modifier(self.feature(molecule))


@dataclass(frozen=True)
class Task:
    """Several terms brought together in one score, 0 to 1.

    Attributes:
        description: one line.
        terms: in the order in which they are asked for.
        mean: of the terms.
    """

    description: str
    terms: tuple[Term, ...]
    mean: Callable[[Iterable[float]], float] = geometric_mean

    def __call__(self, molecule: Molecule) -> float:
        """The score."""
        return self.mean(term(molecule) for term in self.terms)


def drug_likeness(molecule: Molecule) -> float:
    """QED, with logP computed once."""
    return qed(molecule, logp(molecule))


ALBUTEROL = "CC(C)(C)NCC(O)c1ccc(O)c(CO)c1"
MESTRANOL = "COc1ccc2[C@H]3CC[C@@]4(C)[C@@H](CC[C@@]4(O)C#C)[C@@H]3CCc2c1"
CELECOXIB = "CC1=CC=C(C=C1)C1=CC(=NN1C1=CC=C(C=C1)S(N)(=O)=O)C(F)(F)F"
TROGLITAZONE = "Cc1c(C)c2OC(C)(COc3ccc(CC4SC(=O)NC4=O)cc3)CCc2c(C)c1O"
THIOTHIXENE = "CN(C)S(=O)(=O)c1ccc2Sc3ccccc3C(=CCCN4CCN(C)CC4)c2c1"
CAMPHOR = "CC1(C)C2CCC1(C)C(=O)C2"
MENTHOL = "CC(C)C1CCC(C)CC1O"
TADALAFIL = "O=C1N(CC(N2C1CC3=C(C2C4=CC5=C(OCO5)C=C4)NC6=C3C=CC=C6)=O)C"
SILDENAFIL = "CCCC1=NN(C2=C1N=C(NC2=O)C3=C(C=CC(=C3)S(=O)(=O)N4CCN(CC4)C)OCC)C"
OSIMERTINIB = "COc1cc(N(C)CCN(C)C)c(NC(=O)C=C)cc1Nc2nccc(n2)c3cn(C)c4ccccc34"
FEXOFENADINE = "CC(C)(C(=O)O)c1ccc(cc1)C(O)CCCN2CCC(CC2)C(O)(c3ccccc3)c4ccccc4"
RANOLAZINE = "COc1ccccc1OCC(O)CN2CCN(CC(=O)Nc3c(C)cccc3C)CC2"
PERINDOPRIL = "O=C(OCC)C(NC(C(=O)N1C(C(=O)O)CC2CCCCC12)C)CCC"
AMLODIPINE = r"Clc1ccccc1C2C(=C(/N/C(=C2/C(=O)OCC)COCCN)C)\C(=O)OC"
SITAGLIPTIN = "Fc1cc(c(F)cc1F)CC(N)CC(=O)N3Cc2nnc(n2CC3)C(F)(F)F"
ZALEPLON = "O=C(C)N(CC)C1=CC=CC(C2=CC=NC3=C(C=NN23)C#N)=C1"
HOPPED = "CCCOc1cc2ncnc(Nc3ccc4ncsc4c3)c2cc1S(=O)(=O)C(C)(C)C"

VALSARTAN_PART = "CN(C=O)Cc1ccc(c2ccccc2)cc1"
SCAFFOLD = "[#7]-c1n[c;h1]nc2[c;h1]c(-[#8])[c;h0][c;h1]c12"
SULFONE = "CS([#6])(=O)=O"
BENZOTHIAZOLE = "[#7]-c1ccc2ncsc2c1"
DECORATION = "[#6]-[#6]-[#6]-[#8]-[#6]~[#6]~[#6]~[#6]~[#6]-[#7]-c1ccc2ncsc2c1"

LOGP, TPSA = Descriptor("logP"), Descriptor("TPSA")


def _alone(description: str, feature: Feature, modifier: Modifier = AS_IS) -> Task:
    return Task(description, (Term(feature, modifier),))


TASKS: dict[str, Task] = {
    "qed": _alone("drug-likeness, 0 to 1 (QED; Bickerton et al. 2012)", drug_likeness),
    "albuterol_similarity": _alone(
        "similarity to albuterol, FCFP4 counts, full from 0.75 on", Similarity("FCFP4", ALBUTEROL), Clipped(0.75)
    ),
    "mestranol_similarity": _alone(
        "similarity to mestranol, atom pairs, full from 0.75 on", Similarity("AP", MESTRANOL), Clipped(0.75)
    ),
    "celecoxib_rediscovery": _alone("similarity to celecoxib, ECFP4 counts", Similarity("ECFP4", CELECOXIB)),
    "troglitazone_rediscovery": _alone("similarity to troglitazone, ECFP4 counts", Similarity("ECFP4", TROGLITAZONE)),
    "thiothixene_rediscovery": _alone("similarity to thiothixene, ECFP4 counts", Similarity("ECFP4", THIOTHIXENE)),
    "isomers_c7h8n2o2": _alone("isomers of C7H8N2O2", Isomer("C7H8N2O2")),
    "isomers_c9h10n2o2pf2cl": _alone("isomers of C9H10N2O2PF2Cl", Isomer("C9H10N2O2PF2Cl")),
    "median1": Task(
        "between camphor and menthol, ECFP4 counts",
        (Term(Similarity("ECFP4", CAMPHOR)), Term(Similarity("ECFP4", MENTHOL))),
    ),
    "median2": Task(
        "between tadalafil and sildenafil, ECFP6 counts",
        (Term(Similarity("ECFP6", TADALAFIL)), Term(Similarity("ECFP6", SILDENAFIL))),
    ),
    "osimertinib_mpo": Task(
        "like osimertinib but not too like, TPSA over 100, logP under 1",
        (
            Term(Similarity("FCFP4", OSIMERTINIB), Clipped(0.8)),
            Term(Similarity("ECFP6", OSIMERTINIB), AtMost(0.85, 0.1)),
            Term(TPSA, AtLeast(100, 10)),
            Term(LOGP, AtMost(1, 1)),
        ),
    ),
    "fexofenadine_mpo": Task(
        "like fexofenadine, TPSA over 90, logP under 4",
        (
            Term(Similarity("AP", FEXOFENADINE), Clipped(0.8)),
            Term(TPSA, AtLeast(90, 10)),
            Term(LOGP, AtMost(4, 1)),
        ),
    ),
    "ranolazine_mpo": Task(
        "like ranolazine, logP over 7, TPSA over 95, one fluorine",
        (
            Term(Similarity("AP", RANOLAZINE), Clipped(0.7)),
            Term(LOGP, AtLeast(7, 1)),
            Term(Descriptor("fluorine"), Gaussian(1, 1)),
            Term(TPSA, AtLeast(95, 20)),
        ),
    ),
    "perindopril_mpo": Task(
        "like perindopril, with two aromatic rings",
        (Term(Similarity("ECFP4", PERINDOPRIL)), Term(Descriptor("aromatic rings"), Gaussian(2, 0.5))),
    ),
    "amlodipine_mpo": Task(
        "like amlodipine, with three rings",
        (Term(Similarity("ECFP4", AMLODIPINE)), Term(Descriptor("rings"), Gaussian(3, 0.5))),
    ),
    "sitagliptin_mpo": Task(
        "an isomer of sitagliptin with its logP and TPSA, and unlike it",
        (
            Term(Similarity("ECFP4", SITAGLIPTIN), Gaussian(0, 0.1)),
            Term(Like("logP", SITAGLIPTIN, 0.2)),
            Term(Like("TPSA", SITAGLIPTIN, 5)),
            Term(Isomer("C16H15F6N5O")),
        ),
    ),
    "zaleplon_mpo": Task(
        "like zaleplon, with the formula C19H17N3O2",
        (Term(Similarity("ECFP4", ZALEPLON)), Term(Isomer("C19H17N3O2"))),
    ),
    "valsartan_smarts": Task(
        "a part of valsartan, with the logP, TPSA and complexity of sitagliptin; mostly 0",
        (
            Term(Contains(VALSARTAN_PART)),
            Term(Like("logP", SITAGLIPTIN, 0.2)),
            Term(Like("TPSA", SITAGLIPTIN, 5)),
            Term(Like("Bertz", SITAGLIPTIN, 30)),
        ),
    ),
    "deco_hop": Task(
        "keep a scaffold, change its decoration (2D pharmacophores; slow)",
        (
            Term(Pharmacophore(HOPPED), Clipped(0.85)),
            Term(Lacks(SULFONE)),
            Term(Lacks(BENZOTHIAZOLE)),
            Term(Contains(SCAFFOLD)),
        ),
        arithmetic_mean,
    ),
    "scaffold_hop": Task(
        "keep a decoration, change its scaffold (2D pharmacophores; slow)",
        (Term(Pharmacophore(HOPPED), Clipped(0.75)), Term(Contains(DECORATION)), Term(Lacks(SCAFFOLD))),
        arithmetic_mean,
    ),
}
