"""A run's forwards as a roofline sees them: against the traces of real decoders, and what cannot be projected."""

import pandas as pd
import pytest

from baselines.freedave import FreeDave
from baselines.stepwise import Stepwise
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.decoding.trace import Event, Trace
from ssd.report.projection.counted import counted, obstacle
from ssd.speculation.decoder import SelfSpeculative
from tests.block_cases import case
from tests.models import random_model

SPECIAL = SpecialTokens(mask_id=63, end_ids=(62, 61))
NAMES = ("kind", "block", "nodes", "rows", "stored")


def frame(trace: Trace, index: int = 0) -> pd.DataFrame:
    rows = [{name: getattr(event, name) for name in NAMES} for event in trace.events]
    return pd.DataFrame(rows).assign(index=index, repeat=0)


@pytest.mark.parametrize("cache", ["none", "prefix", "dual", "dkv"])
@pytest.mark.parametrize("decoder", [Stepwise(), SelfSpeculative(4)], ids=["stepwise", "ssd"])
def test_windows_see_the_whole_canvas(family: str, cache: str, decoder: Stepwise | SelfSpeculative) -> None:
    settings = GenerationSettings(gen_length=16, block_length=8, cache=cache)
    traces = [decoder.decode(random_model(family), [1] * length, settings, SPECIAL).trace for length in (5, 9)]
    frames = pd.concat([frame(trace, index) for index, trace in enumerate(traces)], ignore_index=True)
    found = counted(frames, vars(settings))
    assert set(found.rows + found.context) == {21, 25}
    assert found.per_response.sum() == sum(trace.nfe for trace in traces) / 2
    rows = (found.per_response * (found.nodes * found.rows + found.stored)).sum()
    assert rows == pytest.approx(sum(trace.token_rows for trace in traces) / 2)
    assert (found.predicted == [min(each, 8) for each in found.rows]).all()


@pytest.mark.parametrize("store", ["fused", "separate"])
@pytest.mark.parametrize("name", ["sdar", "fast_dllm_v2"])
@pytest.mark.parametrize("decoder", [Stepwise(), FreeDave(7, eager=True)], ids=["stepwise", "eager"])
@pytest.mark.parametrize("prompt", [3, 6, 8])
def test_an_exact_cache_holds_what_was_stored_before(
    name: str, store: str, decoder: Stepwise | FreeDave, prompt: int
) -> None:
    made = case(name, 4, prompt, 17, store=store)
    trace = made.decode(decoder).trace
    stored, naive = 0, []
    for event in trace.events:
        naive.append((event.nodes, event.rows, event.stored, stored, event.rows))
        stored += event.stored
    found = counted(frame(trace), vars(made.settings))
    kinds = zip(*(field.tolist() for field in found[:5]), strict=True)
    assert dict(zip(kinds, found.per_response, strict=True)) == {kind: naive.count(kind) for kind in naive}


def test_what_cannot_be_projected_and_the_remedy() -> None:
    verifier = frame(Trace([Event("verifier", 0, 0, 1, 8, ())]))
    assert "measure the run again with runtime.traces=true" in obstacle(verifier[:0], "dual")
    assert "autoregressive verifier" in obstacle(verifier, "none")
    assert "its cache sparse computes or reads parts" in obstacle(verifier, "sparse")
    earlier = frame(Trace([Event("decode", 0, 0, 1, 8, ())])).drop(columns="stored")
    assert "name the run's own folder" in obstacle(earlier, "exact")
    assert obstacle(earlier, "dual") is None
    assert counted(earlier, {"cache": "dual", "block_length": 8}).stored.tolist() == [0]
