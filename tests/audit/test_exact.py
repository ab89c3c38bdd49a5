"""The float64 copy of a model: made once, only where it fits, and equal to the model but for rounding."""

import pytest
import torch

from ssd.audit import float64 as exact
from ssd.audit.float64 import ExactModel, bytes_allowed, bytes_needed, free_bytes
from ssd.measure.instrumentation import ForwardCounter
from tests.restless import restless_model


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32], ids=str)
def test_the_copy_has_the_same_weights_and_float64_arithmetic(family, dtype):
    model = restless_model(family, dtype=dtype)
    copy = ExactModel(model).model
    tokens = torch.tensor([[5, 17, 63, 63, 8]])
    assert copy.dtype == torch.float64
    for name, weight in model.transformer.state_dict().items():
        assert torch.equal(copy.transformer.state_dict()[name], weight.double())
    expected = restless_model(family, dtype=dtype).transformer.double().logits(tokens)
    assert torch.equal(copy.transformer.logits(tokens), expected)


def test_it_is_made_when_first_asked_for_and_only_once():
    model = restless_model("llada", dtype=torch.float32)
    asked = ExactModel(model)
    assert asked.model is asked.model
    assert model.dtype == torch.float32


def test_its_forwards_are_not_the_models():
    model = restless_model("llada", dtype=torch.float32)
    counter = ForwardCounter(model.transformer)
    ExactModel(model).model.transformer.logits(torch.tensor([[1, 2, 3]]))
    assert counter.forwards == 0


def test_a_float64_model_is_its_own_copy():
    model = restless_model("llada", dtype=torch.float64)
    asked = ExactModel(model)
    assert asked.model is model


@pytest.mark.parametrize(("spare", "fits"), [(0.5, False), (1.0, False), (1.5, True)])
def test_where_memory_does_not_suffice_there_is_none(spare, fits, monkeypatch):
    model = restless_model("llada", dtype=torch.bfloat16)
    monkeypatch.setattr(exact, "free_bytes", lambda device: spare * bytes_needed(model))
    assert (ExactModel(model).model is not None) == fits


def test_bytes_are_counted_by_hand():
    model = restless_model("llada", dtype=torch.bfloat16)
    layer = 4 * 32 * 32 + 3 * 32 * 64 + 2 * 32  # attention, MLP, norms
    assert bytes_needed(model) == 8 * (2 * layer + 2 * 64 * 32 + 32)
    assert free_bytes(torch.device("cpu")) > bytes_needed(model)


def test_a_system_that_does_not_tell_has_no_memory_to_spare(monkeypatch):
    monkeypatch.setattr(exact.os, "sysconf_names", {})
    assert free_bytes(torch.device("cpu")) == 0
    assert ExactModel(restless_model("llada", dtype=torch.float32)).model is None


def test_a_container_s_limit_counts_as_the_end_of_memory(tmp_path, monkeypatch):
    """Limits of any group above the process' own hold too; `max` is none."""
    groups, own = tmp_path / "groups", tmp_path / "cgroup"
    own.write_text("0::/job/step\n")
    for name, limit, used in (("job", "1000", "400"), ("job/step", "max", "300")):
        (groups / name).mkdir(parents=True)
        (groups / name / "memory.max").write_text(limit + "\n")
        (groups / name / "memory.current").write_text(used + "\n")
    assert bytes_allowed(groups, own) == [600]
    assert bytes_allowed(groups, tmp_path / "missing") == []
    monkeypatch.setattr(exact, "bytes_allowed", lambda: [600])
    assert free_bytes(torch.device("cpu")) == 600
