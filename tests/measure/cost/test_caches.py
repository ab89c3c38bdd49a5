"""The times of caches stand beside those of as many windows with as many rows."""

import pytest

from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.measure.cost import caches
from tests.restless import restless_model


def test_every_forward_stands_beside_a_window_of_its_own_rows(family, monkeypatch):
    def squared(model, length, rows, count, block, timer):
        return rows**2 * count

    monkeypatch.setattr(caches, "_windows_ms", squared)
    generation = GenerationSettings(gen_length=8, block_length=4)
    model, special = restless_model(family), SpecialTokens(63, (62, 61))
    found = {row["cache"]: row for row in caches.cache_rows(model, generation, special, 3)}
    assert found["none"]["window_ms"] == 11**2
    # Of 8 forwards, 2 compute the canvas; with dual, 6 compute the block.
    assert found["dual"]["window_ms"] == pytest.approx((2 * 11**2 + 6 * 4**2) / 8)
    assert found["dkv"]["window_ms"] > found["dkv"]["rows"] ** 2
