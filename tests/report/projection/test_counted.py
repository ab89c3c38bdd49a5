"""A run's forwards as a roofline sees them: against counts in the model itself, and what cannot be projected."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from baselines.fast_dllm import FastDLLM
from baselines.freedave import FreeDave
from baselines.rules.klass import KLASS
from baselines.stepwise import Stepwise
from baselines.wino import WINO
from ssd.decoding.block_decoder import BlockDecoder
from ssd.decoding.trace import Event, Trace
from ssd.modeling.dllm import MaskedDiffusionModel
from ssd.report.projection.counted import counted, obstacle
from ssd.report.projection.roofline import Forwards
from ssd.speculation.decoder import SelfSpeculative
from tests.block_cases import Case, case, cases, full_cases, lossless_decoders
from tests.effort import examples
from tests.models import BLOCK_CAUSAL

NAMES = ("kind", "block", "nodes", "rows", "stored", "logit_rows")
ALL = settings(
    max_examples=examples(300, thinner=10), deadline=None, derandomize=True, suppress_health_check=[*HealthCheck]
)


def frame(trace: Trace, index: int = 0) -> pd.DataFrame:
    rows = [{name: getattr(event, name) for name in NAMES} for event in trace.events]
    return pd.DataFrame(rows).assign(index=index, repeat=0)


def watched(model: MaskedDiffusionModel, decode: Callable[[], Trace]) -> tuple[Trace, list[tuple[int, int]]]:
    """The trace, and for each forward the rows that have keys and those that the head reads, counted in the model."""
    keys: list[int] = []
    logits: list[int] = []

    def counter(counts: list[int]) -> Callable[[nn.Module, tuple[Tensor], Tensor], None]:
        return lambda module, inputs, output: counts.append(inputs[0].shape[:-1].numel())

    transformer = model.transformer
    hooks = [transformer.layers[0].key.register_forward_hook(counter(keys))]
    hooks += [transformer.head.register_forward_hook(counter(logits))]
    trace = decode()
    for hook in hooks:
        hook.remove()
    return trace, list(zip(keys, logits, strict=True))


def decoded(made: Case, decoder: BlockDecoder) -> Trace:
    return made.decode(decoder).trace


def as_counted(found: Forwards, responses: int = 1) -> Counter[tuple[int, int]]:
    """How often each pair of rows and logit rows comes in a projection."""
    pairs = zip(found.nodes * found.rows + found.stored, found.nodes * found.logit_rows, strict=True)
    counts: Counter[tuple[int, int]] = Counter()
    for (rows, logit_rows), count in zip(pairs, found.per_response * responses, strict=True):
        counts[int(rows), int(logit_rows)] += round(count)
    return counts


@ALL
@given(made=st.one_of(cases(), full_cases()), decoder=st.one_of(lossless_decoders(), st.just(Stepwise())))
@example(case("llada", 8, 5, 24), SelfSpeculative(6, lookahead=1))
@example(case("dream", 3, 5, 15, cache="dkv_prefill"), SelfSpeculative(3, 2, builder="kary", lookahead=2))
@example(case("sdar", 4, 6, 17, cache="none"), FreeDave(7, eager=True))
@example(case("fast_dllm_v2", 4, 6, 17, store="separate"), SelfSpeculative(6, lookahead=2))
def test_rows_and_logit_rows_are_those_that_the_model_counts(made: Case, decoder: BlockDecoder) -> None:
    trace, naive = watched(made.model, partial(decoded, made, decoder))
    found = counted(frame(trace), vars(made.settings))
    assert as_counted(found) == Counter(naive)
    if made.family not in BLOCK_CAUSAL:
        length = len(made.prompt) + made.settings.gen_length
        assert set(found.rows + found.context) == {length if made.settings.cache != "none" else max(found.rows)}


@pytest.mark.parametrize(
    ("decoder", "cases_of"),
    [
        (Stepwise(), [("llada", "prefix"), ("dream", "dual"), ("llada", "dkv")]),
        (SelfSpeculative(4), [("dream", "prefix"), ("llada", "vicinity"), ("dream", "dkv")]),
        (FreeDave(6, eager=True), [("llada", "dual"), ("dream", "prefix")]),
        (WINO(), [("llada", "dual"), ("llada", "none")]),
        (FastDLLM(commit=KLASS()), [("dream", "none")]),
    ],
    ids=["stepwise", "ssd", "eager", "wino", "klass"],
)
def test_so_are_those_of_lossy_caches_and_decoders(decoder: BlockDecoder, cases_of: Sequence[tuple[str, str]]) -> None:
    for family, cache in cases_of:
        made = [case(family, 4, length, 8, cache=cache) for length in (5, 7)]
        each = [watched(one.model, partial(decoded, one, decoder)) for one in made]
        frames = pd.concat([frame(trace, index) for index, (trace, _) in enumerate(each)], ignore_index=True)
        found = counted(frames, vars(made[0].settings))
        assert as_counted(found, responses=2) == sum((Counter(naive) for _, naive in each), Counter())
        # Without a cache, shadows of a block stand beside the whole canvas.
        shadows = 4 if isinstance(decoder, WINO) and cache == "none" else 0
        assert set(found.rows + found.context) == {13, 15, 13 + shadows, 15 + shadows}


@pytest.mark.parametrize("store", ["fused", "separate"])
@pytest.mark.parametrize("name", ["sdar", "fast_dllm_v2"])
@pytest.mark.parametrize(
    "decoder",
    [Stepwise(), FreeDave(7, eager=True), SelfSpeculative(6, lookahead=2)],
    ids=["stepwise", "eager", "lookahead"],
)
@pytest.mark.parametrize("prompt", [3, 6, 8])
def test_an_exact_cache_holds_what_was_stored_before(name: str, store: str, decoder: BlockDecoder, prompt: int) -> None:
    made = case(name, 4, prompt, 17, store=store)
    trace = made.decode(decoder).trace
    stored, naive = 0, []
    for event in trace.events:
        naive.append((event.nodes, event.rows, event.stored, stored, event.logit_rows))
        stored += event.stored
    found = counted(frame(trace), vars(made.settings))
    kinds = zip(*(field.tolist() for field in found[:5]), strict=True)
    assert dict(zip(kinds, found.per_response, strict=True)) == {kind: naive.count(kind) for kind in naive}


def test_what_cannot_be_projected_and_the_remedy() -> None:
    verifier = frame(Trace([Event("verifier", 0, 0, 1, 8, ())]))
    assert "measure the run again with runtime.traces=true" in obstacle(verifier[:0], "dual")
    assert "autoregressive verifier" in obstacle(verifier, "none")
    assert "its cache sparse computes or reads parts" in obstacle(verifier, "sparse")
    decode = frame(Trace([Event("decode", 0, 0, 1, 8, (), logit_rows=8)]))
    assert obstacle(decode, "dual") is None
    for earlier in (decode.drop(columns="logit_rows"), decode.assign(logit_rows=None)):
        assert "its traces lack the rows that get logits; measure the run again" in obstacle(earlier, "exact")
