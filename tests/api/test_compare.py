"""Comparisons: every figure is what the two sides' responses give."""

import builtins

import pytest

import ssd
from ssd.metrics.bootstrap import ratio_of_sums

SHORT = {"gen_length": 16, "block_length": 8}
PROMPTS = ["What is 3 + 4?", [{"role": "user", "content": "What is 5 + 4?"}], [7, 8, 9]]


@pytest.fixture(scope="module")
def lossless(model):
    return ssd.compare(model, PROMPTS, ssd.SelfSpeculative(depth=4), **SHORT)


@pytest.mark.slow
def test_lossless_figures(model, lossless):
    for prompt, (_, row) in zip(PROMPTS, lossless.frame.iterrows(), strict=True):
        reference = ssd.decode(model, prompt, ssd.Stepwise(), **SHORT)
        response = ssd.decode(model, prompt, ssd.SelfSpeculative(depth=4), **SHORT)
        lengths = response.acceptance_lengths
        assert (row.reference_nfe, row.nfe) == (reference.nfe, response.nfe) == (16, response.nfe)
        assert row.acceptance_length == sum(lengths) / len(lengths)
        assert row.speedup == row.reference_latency_s / row.latency_s
        assert row.identical
    frame = lossless.frame
    assert lossless.identity_rate == 1
    assert lossless.nfe_ratio == frame["reference_nfe"].sum() / frame["nfe"].sum()
    assert lossless.speedup == ratio_of_sums(frame["reference_latency_s"], frame["latency_s"])
    lengths = [length for response in lossless.responses for length in response.acceptance_lengths]
    assert lossless.acceptance_length == sum(lengths) / len(lengths)


def test_it_prints_itself(lossless):
    assert "identical 100% of 3" in repr(lossless)
    assert "What is 3 + 4?" in repr(lossless)
    assert "<table" in lossless._repr_html_()
    assert "Stepwise" in lossless.viewer().html


def test_a_lossy_decoder_is_told_where_it_differs(model):
    found = ssd.compare(model, PROMPTS, ssd.FastDLLM(threshold=0.01), **SHORT)
    assert found.identity_rate < 1
    assert found.acceptance_length is None
    for (_, row), reference, response in zip(found.frame.iterrows(), found.references, found.responses, strict=True):
        assert row.identical == (reference.ids == response.ids)
        if not row.identical:
            place = row.divergence_position
            assert reference.ids[:place] == response.ids[:place]
            assert reference.ids[place] != response.ids[place]
            assert row.divergence_class == "algorithmic"
    assert '"class":"algorithmic"' in found.viewer().html


def test_a_decoder_names_its_own_reference(model):
    found = ssd.compare(model, PROMPTS[:1], ssd.ParallelSelfSpeculative(threshold=0.5), **SHORT)
    assert isinstance(found.references[0].decoder, ssd.FastDLLM)
    assert found.identity_rate == 1
    assert found.speedup["low"] is None


@pytest.mark.parametrize(
    ("prompts", "reference", "line"),
    [
        ("What is 3 + 4?", None, "prompts: expected a list of at least one prompt"),
        ([], None, "prompts: expected a list of at least one prompt"),
        (None, None, "prompts: expected a list of at least one prompt"),
        (5, None, "prompts: expected a list of at least one prompt"),
        ([None], None, "prompt=None: expected a text"),
        (PROMPTS, ssd.SelfSpeculative(), "expected a decoder without drafts"),
        (PROMPTS, ssd.APD(), "expected a decoder without drafts"),
    ],
)
def test_wrong_input_is_refused(model, prompts, reference, line):
    with pytest.raises(ValueError, match=line):
        ssd.compare(model, prompts, reference=reference)


def test_missing_pandas_is_named(model, monkeypatch):
    def without_pandas(name, *arguments, real=builtins.__import__):
        if name == "pandas":
            raise ModuleNotFoundError("No module named 'pandas'", name="pandas")
        return real(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without_pandas)
    with pytest.raises(ModuleNotFoundError, match=r'pandas is not installed; pip install "ssd-benchmark\[report\]"'):
        ssd.compare(model, PROMPTS)
