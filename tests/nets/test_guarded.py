"""Guarded strings of decoders with random weights: molecules, whatever the batch, untouched where nothing was wrong."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from molvae.chem.grammar import Grammar, grammar
from molvae.chem.molecules import is_molecule
from molvae.data.batches import END
from molvae.data.codecs import SmilesCodec
from molvae.data.vocabulary import Vocabulary
from molvae.nets import GRUDecoder
from molvae.nets.guarded import Guarded, GuardedDecoding

CODEC = SmilesCodec(
    "atom", Vocabulary.of(["#", "(", ")", "-", "1", "2", "=", "C", "F", "N", "O", "S", "[nH]", "c", "n", "o"]), 30
)
LATENT = 5


@pytest.fixture(scope="module")
def rules() -> Grammar:
    return CODEC.grammar


@pytest.fixture(scope="module")
def decoder() -> GRUDecoder:
    torch.manual_seed(0)
    decoder = GRUDecoder(len(CODEC.vocabulary), LATENT, 8, 32, 1, True)
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter *= 3
        for token in "c1n":
            decoder.head.bias[CODEC.vocabulary.index[token]] += 2
    return decoder.requires_grad_(False)


def points(count: int) -> Tensor:
    return 2 * torch.randn(count, LATENT, generator=torch.Generator().manual_seed(1))


def judge(tokens: Tensor) -> NDArray[np.bool_]:
    return np.array([is_molecule(smiles) for smiles in CODEC.decode(tokens)], dtype=bool)


def guarded(decoder: GRUDecoder, z: Tensor, rules: Grammar) -> Guarded:
    return decoder.generate_guarded(z, CODEC.num_units, rules, judge)


def test_guarded_strings_are_molecules_of_the_length_allowed(decoder: GRUDecoder, rules: Grammar) -> None:
    z = points(200)
    strings = guarded(decoder, z, rules)
    assert judge(strings.tokens).all()
    assert judge(decoder.generate(z, CODEC.num_units)).mean() < 0.3
    assert strings.tokens.shape == (200, CODEC.num_units) and bool((strings.tokens == END).any(1).all())
    assert len(strings.tokens.unique(dim=0)) > 100
    assert bool((torch.from_numpy(rules.aromatic)[strings.tokens]).any(1).sum() > 20)  # rings of all kinds survive


def test_intervened_says_where_the_string_is_another(decoder: GRUDecoder, rules: Grammar) -> None:
    z = points(200)
    with torch.no_grad():
        decoder.head.bias[END] += 4  # shorter strings, some of them right at once
        try:
            free, strings = decoder.generate(z, CODEC.num_units), guarded(decoder, z, rules)
        finally:
            decoder.head.bias[END] -= 4
    other = (free != strings.tokens).any(1)
    assert torch.equal(other, strings.intervened)
    assert 0.05 < float(other.double().mean()) < 0.95


def test_a_latent_point_has_one_guarded_string_whatever_the_batch(decoder: GRUDecoder, rules: Grammar) -> None:
    z = points(130)
    whole = guarded(decoder, z, rules)
    parts = [guarded(decoder, part, rules) for part in z.split(65)]
    assert torch.equal(whole.tokens, torch.cat([part.tokens for part in parts]))
    assert torch.equal(whole.intervened, torch.cat([part.intervened for part in parts]))
    order = torch.randperm(130, generator=torch.Generator().manual_seed(2))
    assert torch.equal(guarded(decoder, z[order], rules).tokens, whole.tokens[order])


def test_a_refused_string_turns_off_where_the_margin_was_smallest(decoder: GRUDecoder, rules: Grammar) -> None:
    """Against a loop: the first decoding, the smallest margin with an aromatic atom at stake, that token ruled out."""
    z = points(128)
    first = GuardedDecoding(rules, CODEC.num_units, None, decoder._speaking).decode(z)
    strings = guarded(decoder, z, rules)
    checked = 0
    for row in np.flatnonzero(~judge(first.tokens)).tolist():
        aromatic = rules.aromatic[first.tokens[row]] | rules.aromatic[first.seconds[row]]
        margins = np.where(aromatic & (first.margins[row].numpy() < 1e3), first.margins[row].numpy(), np.inf)
        place = int(margins.argmin())
        turn = torch.tensor([[place, int(first.tokens[row, place])]])
        other = GuardedDecoding(rules, CODEC.num_units, turn, decoder._speaking).decode(z[row, None]).tokens
        assert torch.equal(other[0, :place], first.tokens[row, :place])
        assert other[0, place] == first.seconds[row, place]
        if judge(other)[0]:
            assert torch.equal(strings.tokens[row], other[0])
            checked += 1
    assert checked > 5


def test_a_string_that_was_wrong_is_the_one_guarded_from_its_beginning(decoder: GRUDecoder, rules: Grammar) -> None:
    """It goes on from the middle, where it first said what is forbidden; a string that was right stays."""
    z = points(384)
    with torch.no_grad():
        decoder.head.bias[END] += 4
        try:
            free, strings = decoder.generate(z, CODEC.num_units), guarded(decoder, z, rules)
            whole = GuardedDecoding(rules, CODEC.num_units, None, decoder._speaking, 384).decode(z)
        finally:
            decoder.head.bias[END] -= 4
    right, good = judge(free), judge(whole.tokens)
    assert torch.equal(strings.tokens[right], free[right])
    assert torch.equal(strings.tokens[~right & good], whole.tokens[~right & good])
    assert right.sum() > 10 and (~right & good).sum() > 20


def test_a_decoder_of_two_layers_goes_on_from_both(rules: Grammar) -> None:
    torch.manual_seed(3)
    decoder = GRUDecoder(len(CODEC.vocabulary), LATENT, 8, 32, 2, False).requires_grad_(False)
    for parameter in decoder.parameters():
        parameter *= 4
    z = points(150)
    strings = guarded(decoder, z, rules)
    whole = GuardedDecoding(rules, CODEC.num_units, None, decoder._speaking).decode(z)
    chosen = judge(whole.tokens) & ~judge(decoder.generate(z, CODEC.num_units))
    assert chosen.sum() > 20
    assert torch.equal(strings.tokens[chosen], whole.tokens[chosen])


def test_what_is_remembered_at_once_makes_no_difference(
    decoder: GRUDecoder, rules: Grammar, monkeypatch: pytest.MonkeyPatch
) -> None:
    z = points(600)
    whole = guarded(decoder, z, rules)
    monkeypatch.setattr("molvae.nets.guarded.KEPT", 1)
    assert torch.equal(guarded(decoder, z, rules).tokens, whole.tokens)


def test_a_judge_whom_nothing_pleases_gets_the_first_string(decoder: GRUDecoder, rules: Grammar) -> None:
    z = points(20)
    strings = decoder.generate_guarded(z, CODEC.num_units, rules, lambda tokens: np.zeros(len(tokens), dtype=bool))
    assert torch.equal(
        strings.tokens, GuardedDecoding(rules, CODEC.num_units, None, decoder._speaking).decode(z).tokens
    )
    assert bool(strings.intervened.all())


def test_no_latent_points_have_no_strings(decoder: GRUDecoder, rules: Grammar) -> None:
    strings = guarded(decoder, points(0), rules)
    assert strings.tokens.shape == (0, CODEC.num_units) and strings.intervened.shape == (0,)


def test_tables_fit_the_vocabulary() -> None:
    assert grammar(CODEC.vocabulary.tokens).slots.tolist() == CODEC.grammar.slots.tolist()
