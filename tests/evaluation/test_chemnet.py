"""Our pass against fcd_torch's own network, and what it does with odd strings."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from fcd_torch.utils import get_one_hot, load_imported_model

from molvae.errors import ArtifactError
from molvae.evaluation import chemnet
from molvae.evaluation.chemnet import load_chemnet, symbol_indices

GOLDEN = Path(__file__).parents[1] / "golden" / "per_molecule.csv"
LENGTHS = ["C", "CC", "C" * 171, "C" * 347, "C" * 348, "C" * 349, "C" * 350, "C" * 400, "CCl" * 173, "CCl" * 176]
ODD = ["[Na+].[Cl-]", "[Al]CC/C=C\\C%12", "Cl", "Br", "[2H]C", "C[Si](C)C", "[nH]1cccc1Br"]


@pytest.fixture(scope="module")
def published() -> torch.nn.Module:
    path = Path(torch.__file__).parents[1] / "fcd_torch" / "ChemNet_v0.13_pretrained.pt"
    return load_imported_model(torch.load(path, weights_only=True)).eval()


def test_activations_are_those_of_the_published_network(published: torch.nn.Module) -> None:
    with GOLDEN.open() as file:
        molecules = [row["canonical"] for row in csv.DictReader(file)][::6] + LENGTHS + ODD
    with torch.inference_mode():
        one_hot = torch.tensor(np.stack([get_one_hot(smiles, 350) / 35 for smiles in molecules])).float()
        expected = published(one_hot.transpose(1, 2)).numpy()
    ours = load_chemnet()(molecules, batch_size=16)
    assert np.abs(ours - expected).max() < 3e-5
    assert ours.dtype == np.float32


def test_the_order_and_the_batches_do_not_matter() -> None:
    molecules = ["CCO", "c1ccccc1" * 5, "C", "CCO"]
    together, reversed_ = load_chemnet()(molecules), load_chemnet()(molecules[::-1], batch_size=2)[::-1]
    assert np.allclose(together, reversed_, atol=1e-5)
    assert np.array_equal(together[0], together[3])


def test_symbols_of_two_letters_unknown_ones_and_the_first_component() -> None:
    names = [chemnet._SYMBOLS[index] for index in symbol_indices("C[Si]Br@%.Cl")]
    assert names == ["C", "[", "Si", "]", "Br", "@", "X", "."]


def test_other_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chemnet, "SHA256", "0" * 64)
    load_chemnet.cache_clear()
    with pytest.raises(ArtifactError, match="unknown ChemNet weights"):
        load_chemnet()
    load_chemnet.cache_clear()
