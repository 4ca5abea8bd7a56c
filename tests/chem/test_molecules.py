import gzip
import subprocess
import sys
from pathlib import Path

import pytest
from rdkit import Chem

from molvae.chem.molecules import (
    are_molecules,
    canonical_or_none,
    canonical_smiles,
    is_molecule,
    molecule_or_reason,
    parse,
    prepare_worker,
    settled_or_none,
    settled_or_reason,
    standardize,
    to_smiles,
)
from molvae.errors import InputError
from molvae.execution import Workers

BUNDLED = Path(__file__).parents[2] / "molvae" / "bundled" / "moses_sample_test.smi.gz"
REFUSED = {
    "": "empty",
    "C" * 1001: "longer than 1,000 characters",
    "CC(": "does not parse",
    "C%99": "does not parse",
    "CC C": "does not parse",
    "C\x00C": "does not parse",
    "CC>>C": "does not parse",
    "é": "does not parse",
    "C(C)(C)(C)(C)C": "valence",
    "c1cccc1": "aromaticity",
}


@pytest.mark.parametrize("smiles", REFUSED)
def test_a_string_that_is_no_molecule_is_refused_with_its_reason(smiles: str) -> None:
    molecule, reason = molecule_or_reason(smiles)
    assert molecule is None
    assert reason.startswith(REFUSED[smiles])
    assert "\n" not in reason
    assert canonical_or_none(smiles) is None
    with pytest.raises(InputError, match="not a molecule"):
        parse(smiles)


@pytest.mark.parametrize("smiles", ["CCO", "*C", "[13CH4]", "[Na+].[Cl-]", "C->N", "C" * 1000, "N[C@@H](C)C(=O)O"])
def test_molecules_of_every_sort_are_read(smiles: str) -> None:
    assert molecule_or_reason(smiles)[1] == ""


def test_many_strings_are_judged_as_each_is() -> None:
    """Molecules with a character left out or doubled: half of them are none, for every reason that there is."""
    with gzip.open(BUNDLED, "rt") as file:
        molecules = [line.split()[0] for line in file if line.strip()][:700]
    places = [(7 * number) % len(smiles) for number, smiles in enumerate(molecules)]
    cut = [smiles[:place] + smiles[place + 1 :] for smiles, place in zip(molecules, places, strict=True)]
    doubled = [smiles[:place] + smiles[place] + smiles[place:] for smiles, place in zip(molecules, places, strict=True)]
    odd = ["cC", "c1cccc1C", "N(=O)=O", "[H][H]", "[H]", "C~C", "*", "[nH]1cccc1", "n1cccc1", "c1ccc2ccccc12", "C1=CC=C1c"]
    strings = [*molecules, *cut, *doubled, *REFUSED, *odd]
    judged = are_molecules(strings)
    assert judged == [is_molecule(smiles) for smiles in strings]
    assert 0.4 < sum(judged) / len(judged) < 0.9


def test_canonical_forms_agree_with_rdkit_and_with_each_other() -> None:
    assert canonical_smiles("OCC") == canonical_smiles("C(O)C") == Chem.CanonSmiles("CCO")


# Worked out by hand: a salt loses its counter-ion and its charge, a nitro group gets its usual form.
STANDARD = {
    "CC(=O)[O-].[Na+]": "CC(=O)O",
    "C[NH3+].[Cl-]": "CN",
    "CN(=O)=O": "C[N+](=O)[O-]",
    "C[N+](C)(C)C.[Br-]": "C[N+](C)(C)C",
    "OC(=O)C(N)C.Cl": "CC(N)C(=O)O",
}


@pytest.mark.parametrize("smiles", STANDARD)
def test_the_standard_form(smiles: str) -> None:
    standard = to_smiles(standardize(parse(smiles)))
    assert standard == STANDARD[smiles]
    assert to_smiles(standardize(parse(standard))) == standard


def reason_of(smiles: str) -> str:
    return molecule_or_reason(smiles)[1]


def test_workers_quote_rdkit() -> None:
    with Workers(1, initializer=prepare_worker) as workers:
        reasons = [outcome.value for outcome in workers.run(reason_of, ["C1CC", "CC)", "C%99"])]
    assert reasons[0] == "does not parse: unclosed ring"
    assert reasons[1] == "does not parse: extra close parentheses around position 3"


def test_the_users_rdkit_log_is_left_as_it_was() -> None:
    script = "from rdkit import Chem\nfrom molvae.chem.molecules import parse, canonical_or_none, standardize\n" \
        "canonical_or_none('C1CC'); standardize(parse('C[NH3+].[Cl-]'))\nChem.MolFromSmiles('CC(')\n"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stderr
    assert "CC(" in said
    assert "C1CC" not in said and "Running" not in said


UNREADABLE = "C=CC1=c(=CCCl)n(Cc2ccc(SC#N)cc2)n1-c1noc(-c2ccc(Cl)cc2)n1"
"""RDKit reads it, and refuses the canonical form that it writes of it."""


def test_a_settled_form_is_one_that_is_read_as_itself() -> None:
    assert canonical_or_none(UNREADABLE) is not None and canonical_or_none(str(canonical_or_none(UNREADABLE))) is None
    settled, reason = settled_or_reason(UNREADABLE)
    assert settled is None and "canonical form" in reason and "kekulize" in reason
    assert settled_or_reason("C1=CC=CC=C1") == ("c1ccccc1", "") and settled_or_none("c1ccccc1") == "c1ccccc1"
    assert settled_or_none("C1CC") is None and settled_or_reason("C1CC")[1]
