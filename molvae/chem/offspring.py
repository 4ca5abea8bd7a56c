"""What a genetic move starts from and what it may leave behind: prepared parents, and the judgement of a child.

Moves edit the Kekulé form of a molecule, where a bond has an order and an atom a number of hydrogens. A child is the
canonical SMILES of what the edit left, if that is a molecule like its parents: one part, of their charge, no larger
than asked for, with no ring larger than six atoms and no cumulated or small-ring double bond that they did not have.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from rdkit import Chem

from molvae.chem.molecules import molecule_or_reason, settled_or_none, to_smiles

LARGEST_RING = 6
SMALLEST_MOLECULE = 6
"""Heavy atoms; Jensen (2019) keeps no molecule of fewer, and rings of at most six atoms."""

VALENCES = {"B": 3, "C": 4, "N": 3, "O": 2, "F": 1, "P": 3, "S": 2, "Cl": 1, "Br": 1, "I": 1}
_UNLIKELY = tuple(
    Chem.MolFromSmarts(pattern)
    for pattern in ("[R]=[R]=[R]", "[r3,r4]=@[r3,r4]", "[R]#@[R]", "[#16;!X1;!X2;!H0]", "[#15;v5;!H0]")
)
"""A ring's allene, a double bond in a ring of three or four, a ring's triple bond, S(IV), S(VI) or P(V) with a hydrogen."""

RDKIT_ERRORS = (ValueError, RuntimeError)
"""Everything that RDKit raises: refused molecules are the one, violated invariants the other."""


@dataclass(frozen=True)
class Parent:
    """A molecule ready to be edited.

    Attributes:
        smiles: canonical, of the whole molecule.
        mol: Kekulé form of the largest part, no aromatic flags, rings known; not to be changed.
        num_atoms: heavy atoms of that part.
        charge: its formal charge.
        rings: of ``mol``, as tuples of atoms.
        chain_bonds: its single bonds outside all rings, as pairs of atoms.
        unlikely: how often each pattern of what a child should not have is in it.
    """

    smiles: str
    mol: Chem.Mol
    num_atoms: int
    charge: int
    rings: Sequence[tuple[int, ...]]
    chain_bonds: Sequence[tuple[int, int]]
    unlikely: tuple[int, ...]

    @property
    def largest_ring(self) -> int:
        """Atoms of the largest ring; 0 without rings."""
        return max(map(len, self.rings), default=0)


@dataclass(frozen=True)
class Limits:
    """What a child of certain parents may be.

    Attributes:
        parents: the molecules that it has to differ from.
        max_atoms: heavy atoms; a child may always be as large as its largest parent.
    """

    parents: Sequence[Parent]
    max_atoms: int

    def child(self, edited: Chem.RWMol, touched: Iterable[int]) -> str | None:
        """Canonical SMILES of an edited Kekulé form; None if it is not a molecule or not an acceptable one.

        Args:
            edited: what the move left; changed here.
            touched: indices of the atoms that got, lost or changed a bond or are new.
        """
        self._free(edited, set(touched))
        if not self._fits(edited) or self._charge_is_strange(edited):
            return None
        Chem.SanitizeMol(edited)
        if self._is_unlikely(edited):
            return None
        smiles = settled_or_none(to_smiles(edited))
        return None if smiles is None or any(smiles == parent.smiles for parent in self.parents) else smiles

    def _free(self, edited: Chem.RWMol, touched: set[int]) -> None:
        """Forget what no longer holds at the touched atoms: hydrogens that were counted, stereochemistry, charges."""
        for index in touched:
            atom = edited.GetAtomWithIdx(index)
            atom.SetNoImplicit(False)
            atom.SetNumExplicitHs(0)
            atom.SetChiralTag(Chem.ChiralType.CHI_UNSPECIFIED)
            for bond in atom.GetBonds():
                for neighbour in (bond, *bond.GetOtherAtom(atom).GetBonds()):
                    neighbour.SetStereo(Chem.BondStereo.STEREONONE)
                    neighbour.SetBondDir(Chem.BondDir.NONE)
            if atom.GetFormalCharge():
                _balance(atom)

    def _fits(self, edited: Chem.RWMol) -> bool:
        num_atoms = edited.GetNumHeavyAtoms()
        largest = max(self.max_atoms, *(parent.num_atoms for parent in self.parents))
        smallest = min(SMALLEST_MOLECULE, *(parent.num_atoms for parent in self.parents))
        return smallest <= num_atoms <= largest and len(Chem.GetMolFrags(edited)) == 1

    def _charge_is_strange(self, edited: Chem.RWMol) -> bool:
        return abs(Chem.GetFormalCharge(edited)) > max(abs(parent.charge) for parent in self.parents)

    def _is_unlikely(self, mol: Chem.Mol) -> bool:
        largest = max(LARGEST_RING, *(parent.largest_ring for parent in self.parents))
        if any(len(ring) > largest for ring in mol.GetRingInfo().AtomRings()):
            return True
        for number, pattern in enumerate(_UNLIKELY):
            if mol.HasSubstructMatch(pattern):
                allowed = sum(parent.unlikely[number] for parent in self.parents)
                if not allowed or len(mol.GetSubstructMatches(pattern)) > allowed:
                    return True
        return False


@lru_cache(maxsize=4096)
def parent(smiles: str) -> Parent | None:
    """A molecule ready to be edited, of a salt the largest part; None if it is none, or a radical."""
    whole, _ = molecule_or_reason(smiles)
    if whole is None:
        return None
    try:
        parts = Chem.GetMolFrags(whole, asMols=True) if "." in smiles else (whole,)
        largest = Chem.Mol(max(parts, key=lambda part: (part.GetNumHeavyAtoms(), to_smiles(part))))
        unlikely = tuple(len(largest.GetSubstructMatches(pattern)) for pattern in _UNLIKELY)
        Chem.Kekulize(largest, clearAromaticFlags=True)
    except RDKIT_ERRORS:
        return None
    if any(atom.GetNumRadicalElectrons() for atom in largest.GetAtoms()):
        return None
    return Parent(
        to_smiles(whole),
        largest,
        largest.GetNumHeavyAtoms(),
        Chem.GetFormalCharge(largest),
        largest.GetRingInfo().AtomRings(),
        _chain_bonds(largest),
        unlikely,
    )


def _chain_bonds(mol: Chem.Mol) -> list[tuple[int, int]]:
    single = Chem.BondType.SINGLE
    return [
        (bond.GetBeginAtomIdx(), bond.GetEndAtomIdx())
        for bond in mol.GetBonds()
        if bond.GetBondType() == single and not bond.IsInRing()
    ]


def order_sum(atom: Chem.Atom) -> int:
    """The orders of an atom's bonds, added up; hydrogens that are not atoms do not count."""
    return sum(int(bond.GetBondTypeAsDouble()) for bond in atom.GetBonds())


def _balance(atom: Chem.Atom) -> None:
    """Take away a charge that the atom's bonds no longer ask for, and with a cation's that of the anion it balanced.

    A nitro group that loses an oxygen becomes N=O or N–OH, not [N+]=O.
    """
    usual = VALENCES.get(atom.GetSymbol())
    if usual is None:
        return
    if atom.GetFormalCharge() > 0 and order_sum(atom) <= usual:
        atom.SetFormalCharge(0)
        for neighbour in atom.GetNeighbors():
            if neighbour.GetFormalCharge() < 0 and order_sum(neighbour) < VALENCES.get(neighbour.GetSymbol(), 0):
                neighbour.SetFormalCharge(0)
                neighbour.SetNoImplicit(False)
    elif atom.GetFormalCharge() < 0 and order_sum(atom) >= usual:
        atom.SetFormalCharge(0)
