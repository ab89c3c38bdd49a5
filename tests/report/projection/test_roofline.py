"""The roofline: one forward by hand, the FLOPs that torch counts, and what more of anything costs."""

from dataclasses import replace

import numpy as np
import pytest
from torch.utils.flop_counter import FlopCounterMode

from ssd.modeling.published import PUBLISHED
from ssd.report.projection.devices import Device, devices
from ssd.report.projection.engines import ENGINES, Engine
from ssd.report.projection.roofline import Forwards, forward_s, needed_bytes, response_s, weights
from tests.models import random_model, tiny_config

SLOW = Device("slow", 1e9, 1e6, 1e9, "")
IDEAL = Engine(
    bytes_per_logit=(4, 4),
    host_s=(0, 0),
    loop_s=(0, 0),
    matrices=(1, 1),
    attention=(1, 1),
    memory=(1, 1),
    kernels_s=(0, 0),
)
ONE = Forwards.of((2, 8, 4, 20, 8, 3))


def test_one_forward_by_hand() -> None:
    """2 layers, hidden 32, 4 heads of 8, MLP 64, vocabulary 64; 2 nodes of 8 rows, 4 stored and 20 cached positions."""
    config = tiny_config("llada")
    layers = 2 * (4 * 32 * 32 + 3 * 32 * 64)
    matrices = (2 * layers, 2 * layers * (2 * 8 + 4))
    pairs = 2 * 8 * (20 + 4 + 8) + 4 * (20 + 4)
    attention = (2 * 2 * 2 * 4 * 8 * (20 + 4 + 16), 4 * 2 * 4 * 8 * pairs)
    head = (2 * 64 * 32 + 16 * 64 * 4, 2 * 64 * 32 * 16)
    moved_s, computed_s = np.array([matrices, attention, head]).T / [[1e6], [1e9]]
    found = forward_s(ONE, config, SLOW, IDEAL)[:, 0]
    assert found[0] == pytest.approx(np.maximum(moved_s, computed_s).sum())
    assert found[-1] == pytest.approx((moved_s + computed_s).sum())
    assert response_s(ONE, config, SLOW, IDEAL) == pytest.approx(3 * found)


def test_launches_are_hidden_behind_the_device_and_the_loop_is_not() -> None:
    config = tiny_config("llada")
    base = forward_s(ONE, config, SLOW, IDEAL)[0, 0]
    for host_s, expected in ((base / 4, base), (base, 2 * base)):  # of two layers
        slower = replace(IDEAL, host_s=(host_s, host_s), loop_s=(1, 1))
        assert forward_s(ONE, config, SLOW, slower)[0, 0] == pytest.approx(expected + 1)
    assert forward_s(ONE, config, SLOW, replace(IDEAL, kernels_s=(1, 1)))[0, 0] == pytest.approx(base + 2)


@pytest.mark.parametrize("family", ["llada", "dream", "sdar"])
def test_products_are_those_that_torch_counts(family: str) -> None:
    """Of a forward without a cache, all of whose rows get logits: so the last layer computes all rows, too."""
    model = random_model(family)
    tokens = 8
    with FlopCounterMode(display=False) as counter:
        model.transformer.logits(model.transformer.embedding.weight.new_zeros(1, tokens).long())
    layers, head = weights(model.config)
    assert 2 * tokens * (layers + head) == sum(
        flops for kind, flops in counter.get_flop_counts()["Global"].items() if "attention" not in str(kind)
    )
    parameters = sum(weight.numel() for weight in model.transformer.parameters() if weight.dim() == 2)
    assert layers + 2 * head == parameters
    assert needed_bytes(Forwards.of((1, 0, 0, 0, 0, 1)), model.config) == 2 * parameters


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("model", ["llada", "sdar_4b"])
def test_more_of_anything_never_costs_less(name: str, model: str) -> None:
    base = np.array((1, 16, 0, 256, 16, 1.0))
    for device in devices().values():
        for place in range(5):
            grown = [base + step * np.eye(6)[place] for step in (0, 1, 7, 31, 255, 2047)]
            seconds = forward_s(Forwards.of(*grown), PUBLISHED[model], device, ENGINES[name])
            assert (np.diff(seconds, axis=1) >= 0).all()
            assert (seconds[0] <= seconds).all()
            assert (seconds <= seconds[-1]).all()


def test_a_batch_shares_weights_and_launches_only() -> None:
    one = Forwards.of((1, 16, 0, 256, 16, 5))
    for engine in ENGINES.values():
        alone, shared = (response_s(one, PUBLISHED["llada"], devices()["h100"], engine, batch) for batch in (1, 4))
        assert (shared < alone).all()
        assert (4 * shared >= alone).all()
    grown = [needed_bytes(one, PUBLISHED["llada"], batch) for batch in (1, 3)]
    assert grown[1] - grown[0] == 2 * (256 + 16) * 2 * 2 * 32 * 4096


def test_every_device_names_its_data_sheet() -> None:
    assert list(devices()) == ["a100", "h100", "h200", "b200", "rtx4090"]
    for device in devices().values():
        assert device.source.startswith("NVIDIA ")
        assert 100 < device.flops_per_s / device.bytes_per_s < 400
