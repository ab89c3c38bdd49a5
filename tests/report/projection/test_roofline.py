"""The roofline: one forward by hand, the floor that bench_forward shows, and what more of anything costs."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ssd.measure.cost.floor import Work
from ssd.modeling.config import Family
from ssd.modeling.published import PUBLISHED
from ssd.report.projection.devices import Device, devices
from ssd.report.projection.engines import ENGINES, Engine
from ssd.report.projection.roofline import Forwards, forward_s, needed_bytes, response_s
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


def test_bytes_and_products_are_those_of_the_measured_floor(family: Family) -> None:
    """Where all rows of a window get logits. The floor also moves norms and biases, of which there are few."""
    model = random_model(family, dtype=torch.bfloat16)
    work, kind = Work.of(model, 3, 8, 20, 8), Forwards.of((3, 8, 0, 20, 8, 1))
    memory, arithmetic = (
        SLOW._replace(bytes_per_s=np.inf, flops_per_s=1),
        SLOW._replace(bytes_per_s=1, flops_per_s=np.inf),
    )
    assert forward_s(kind, model.config, memory, IDEAL)[0, 0] == work.flops
    few = sum(weight.nbytes for weight in model.transformer.parameters() if weight.dim() == 1)
    unwritten = replace(IDEAL, bytes_per_logit=(0, 0))
    assert forward_s(kind, model.config, arithmetic, unwritten)[0, 0] == work.bytes - few
    parameters = sum(weight.numel() for weight in model.transformer.parameters() if weight.dim() == 2)
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
