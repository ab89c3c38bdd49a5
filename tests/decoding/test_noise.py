"""Counter-based noise: a pure function of its counters, uniform, and different for every key."""

import torch

from ssd.decoding.noise import CounterNoise

STEPS, POSITIONS = torch.arange(200)[:, None], torch.arange(300)


def test_pure_and_independent_of_what_is_asked_together():
    noise = CounterNoise(0, [1, 2, 3])
    table = noise.uniform(STEPS, POSITIONS)
    assert torch.equal(table, CounterNoise(0, [1, 2, 3]).uniform(STEPS, POSITIONS))
    assert noise.uniform(torch.tensor([17]), torch.tensor([250])) == table[17, 250]


def test_uniform_and_uncorrelated():
    table = CounterNoise(5, [1]).uniform(STEPS, POSITIONS)
    assert table.min() >= 0
    assert table.max() < 1
    assert table.unique().numel() == table.numel()
    assert abs(table.mean() - 0.5) < 5e-3
    assert abs(table.var() - 1 / 12) < 1e-3
    centred = table - 0.5
    for left, right in ((centred[1:], centred[:-1]), (centred[:, 1:], centred[:, :-1])):
        assert abs((left * right).mean() * 12) < 0.02
    histogram = torch.histc(table, 20, 0, 1) / table.numel()
    assert (histogram - 0.05).abs().max() < 5e-3


def test_seed_and_prompt_change_it():
    tables = [CounterNoise(*key).uniform(STEPS, POSITIONS) for key in ((0, [1]), (1, [1]), (0, [2]), (0, [1, 1]))]
    for index, left in enumerate(tables):
        for right in tables[:index]:
            assert (left == right).double().mean() < 1e-3
