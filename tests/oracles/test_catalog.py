"""From what a user writes to an oracle, and helpful refusals."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from molvae.errors import InputError
from molvae.oracles import Oracle, find_oracle, list_oracles
from molvae.oracles.molecular import PROPERTIES
from molvae.oracles.tasks import TASKS
from tests.oracles import misbehaving


def ask(oracle: Oracle, smiles: str = "CCO") -> dict[str, float]:
    (values,) = oracle.answer([smiles])
    return dict(values)


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("QED", "qed"), ("logP", "logp"), ("plogp", "penalized_logp"), ("Penalised_logP", "penalized_logp"),
        ("SA", "sa"), ("Albuterol similarity", "albuterol_similarity"), ("deco-hop", "deco_hop"), (" np ", "np"),
        ("Median molecules 1", "median1"), ("C7H8N2O2", "isomers_c7h8n2o2"),
    ],
)  # fmt: skip
def test_names_in_any_case_and_spelling(spec: str, name: str) -> None:
    oracle = find_oracle(spec)
    assert oracle.outputs == (spec.strip(),)
    assert ask(oracle) == {spec.strip(): ask(find_oracle(name))[name]}


def test_the_list_has_a_line_for_each() -> None:
    listed = list_oracles()
    assert set(listed) > set(PROPERTIES) > set(TASKS) and len(TASKS) == 20
    assert all(line and "\n" not in line for line in listed.values())
    assert all(find_oracle(name).outputs == (name,) for name in PROPERTIES)


def test_similarity_to_a_lead_and_another_name_for_it() -> None:
    assert ask(find_oracle("similarity:OCC")) == {"similarity": 1.0}
    renamed = find_oracle("lead=similarity:CC(=O)C")
    assert 0 < ask(renamed)["lead"] < 1
    assert ask(find_oracle("drug=qed")) == {"drug": pytest.approx(0.4068, abs=1e-4)}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("qedd", "Did you mean 'qed'"), ("osimertinib", "Did you mean 'osimertinib_mpo'"),
        ("simularity:CCO", "Did you mean 'similarity'"), ("similarity:C(", "not a molecule"),
        ("zzzz", "`molvae oracles` lists them"), ("", "no such oracle"), ("./mine.py:f", "without slashes"),
        ("no_such_module:f", "no such module: got 'no_such_module'"),
        ("json.py:f", "Write json:FUNCTION"), ("json:nothing", "no such function"),
        ("tests.oracles.misbehaving:not_a_function", "not a function"), ("smiles=qed", "a name that a value cannot have"),
        ("x=tests.oracles.misbehaving:both", "another name for several values"),
    ],
)  # fmt: skip
def test_refusals_say_what_to_do(spec: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        find_oracle(spec)
    assert message in str(caught.value)


def test_functions_by_name_and_as_they_are() -> None:
    assert ask(find_oracle("tests.oracles.misbehaving:length")) == {"length": 3.0}
    assert ask(find_oracle("tests.oracles.misbehaving:both")) == {"length": 3.0, "carbons": 2.0}
    assert ask(find_oracle(misbehaving.both, ["carbons"])) == {"carbons": 2.0}
    assert ask(find_oracle("size=tests.oracles.misbehaving:length")) == {"size": 3.0}


def test_modules_beside_the_user_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "beside_me.py").write_text("def worth(smiles):\n    return 2\n")
    assert ask(find_oracle("beside_me:worth")) == {"worth": 2.0}
    (tmp_path / "broken_beside_me.py").write_text("import nothing_like_it\n")
    with pytest.raises(InputError, match="Install 'nothing_like_it'"):
        find_oracle("broken_beside_me:worth")
