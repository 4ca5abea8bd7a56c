import itertools

import torch

from molvae.distributions import generator


def draw(*key):
    return torch.randn(2_000, generator=generator(*key), dtype=torch.float64)


def test_noise_is_a_function_of_seed_index_and_stream():
    assert torch.equal(draw(3, 5), draw(3, 5))
    assert torch.equal(draw(3, 5, "validation"), draw(3, 5, "validation"))


def test_neighbouring_steps_seeds_and_streams_are_unrelated():
    keys = [(0, 0), (0, 1), (1, 0), (1, 1), (0, 10), (0, 0, "a"), (0, 0, "b"), (11, 0), (1, 10)]
    draws = [draw(*key) for key in keys]
    for first, second in itertools.combinations(draws, 2):
        assert abs(torch.corrcoef(torch.stack([first, second]))[0, 1]) < 5 / 2_000**0.5


def test_drawing_leaves_torch_s_own_generator_alone():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    draw(1, 2)
    assert torch.equal(torch.rand(3), expected)
