"""The benchmarks run on a checkpoint of random weights; what they time is not looked at."""

import json
from functools import partial

import pytest
import torch

from baselines.stepwise import Stepwise
from ssd.commands import bench_engine, bench_forward, bench_shapes, bench_tokens, eager
from ssd.decoding.cache_options import caches_of
from ssd.decoding.cache_policy import POLICIES, plain_caches
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.measure import engines
from ssd.measure.cost import rules
from ssd.measure.cost.attention import attention_rows
from ssd.measure.cost.floor import Rates
from ssd.measure.cost.tokens import token_rows
from ssd.modeling.checkpoint import load_model
from ssd.modeling.kv_cache import Window
from ssd.run.device_lock import DeviceHeldError, device_lock
from tests.checkpoints import write_tiny_checkpoint
from tests.models import random_model, random_transformer, write_checkpoint

SHORT = ["--prompt", "8", "--gen-length", "8", "--block-length", "4", "--nodes", "1,3", "--budget", "0"]


@pytest.fixture(autouse=True, scope="module")
def _few_repeats():
    """Everything is timed once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench_forward, "attention_rows", partial(attention_rows, repeats=1))
        patch.setattr(rules, "REPEATS", 1)
        patch.setattr(Rates, "measure", staticmethod(partial(Rates.measure, repeats=1)))
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tiny_checkpoint(tmp_path_factory.mktemp("checkpoint"), "llada")


@pytest.mark.slow
def test_forwards_are_printed_and_written_with_their_circumstances(folder, tmp_path, capsys):
    file = tmp_path / "forward.json"
    bench_forward.main([*SHORT, "--random", "--path", str(folder), "--growth", "8,100000,16", "--json", str(file)])
    printed = capsys.readouterr().out
    assert all(f"cache {cache}: window of" in printed for cache in plain_caches("prompt"))
    written = json.loads(file.read_text())
    assert [row["nodes"] for row in written["forwards"]["dual"]] == ["refresh", "1", "3"]
    assert [row["gen_length"] for row in written["growth"]] == [8, 16]
    assert written["too_long"] == [100000]
    assert "gen_length 100000: more than the model's context has room for" in printed
    assert [row["nodes"] for row in written["attention"]] == [1, 3]
    assert [row["decoder"] for row in written["loops"]] == ["stepwise", "ssd, depth 8", "ssd, depth auto"]
    assert all(0 < row["outside"] < 1 for row in written["loops"])
    assert [row["cache"] for row in written["caches"]] == caches_of("prompt")
    assert [row["rule"] for row in written["rules"]][:3] == ["threshold", "eb", "klass"]
    assert all(row["outside_ms"] > 0 for row in written["rules"])
    assert written["environment"]["checkpoint"] is None
    assert written["rates"]["bytes_per_s"] > 0


@pytest.mark.slow
def test_engines_are_compared_line_by_line(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(engines, "compiled_steps", lambda: None)  # which takes half a minute
    file, words = tmp_path / "forward.json", ["--compile", "--caches", "none,dual", "--growth", "8"]
    bench_forward.main([*SHORT, *words, "--device", "cpu", "--path", str(folder), "--json", str(file)])
    written = json.loads(file.read_text())
    assert written["environment"]["checkpoint"]
    both = ["eager"] * 3 + ["compile"] * 3
    assert [row["engine"] for row in written["forwards"]["none"]] == ["eager"] * 2
    assert [row["engine"] for row in written["forwards"]["dual"]] == both
    assert [row["engine"] for row in written["loops"]] == both
    assert written["compile_s"]["compile"] > 0
    assert written["compile_s"]["eager"] is None
    with pytest.raises(SystemExit):
        bench_forward.main(["--caches", "dual,triple"])
    known = ",".join(cache for cache, policy in POLICIES.items() if policy.has_plain_windows)
    assert f"--caches dual,triple: expected some of {known}" in capsys.readouterr().err


@pytest.mark.slow
def test_a_block_causal_model_is_timed_with_its_own_grid_and_caches(tmp_path, capsys):
    file, words = tmp_path / "forward.json", ["--model", "sdar_tiny", "--path"]
    folder = tmp_path / "sdar"
    write_checkpoint(folder, random_transformer("sdar"))
    short = ["--prompt", "6", "--gen-length", "8", "--nodes", "1,3", "--budget", "0"]
    bench_forward.main([*short, *words, str(folder), "--json", str(file)])
    written = json.loads(file.read_text())
    assert list(written["forwards"]) == plain_caches("absolute")
    assert [(row["nodes"], row["window"], row["context"]) for row in written["forwards"]["exact"]] == [
        ("1", 4, 4),
        ("3", 4, 4),
    ]
    assert [row["decoder"] for row in written["loops"]] == ["stepwise", "ssd, depth 8", "ssd, depth auto"]
    assert "decode loops, exact cache" in capsys.readouterr().out
    with pytest.raises(ValueError, match=r"generation\.cache=dual with generation\.grid=absolute"):
        bench_forward.main([*words, str(folder), "--caches", "dual"])


def test_a_few_blocks_stand_for_a_response_of_any_length(folder, tmp_path, capsys):
    file = tmp_path / "tokens.json"
    words = ["--path", str(folder), "--block-length", "4", "--prompt", "5", "--lengths", "8,200", "--json", str(file)]
    bench_tokens.main([*words, "--device", "cpu"])
    written = {(row["cache"], row["gen_length"]): row for row in json.loads(file.read_text())["tokens"]}
    assert {cache for cache, _ in written} == set(caches_of("prompt"))
    assert all(row["ms_per_token"] > 0 and 0 <= row["refreshes"] < 1 for row in written.values())
    dual, vicinity = written["dual", 200], written["vicinity", 200]
    assert (dual["blocks"], dual["of_blocks"]) == (3, 50)
    assert dual["positions"] == pytest.approx((50 * 205 + 150 * 4) / 200)
    assert vicinity["positions"] < dual["positions"] / 2
    assert "cache vicinity" in capsys.readouterr().out
    with pytest.raises(ValueError, match=r"--caches duel: expected some of none,prefix,dual,vicinity,"):
        bench_tokens.main([*words, "--caches", "duel"])


@pytest.mark.slow
def test_positions_of_a_response_are_those_of_its_trace():
    """If all blocks are decoded, whatever the cache and the grid, and whether some steps stand for others."""
    for family, grid, block in (("dream", "prompt", 12), ("sdar", "absolute", 4)):
        model = random_model(family)
        special = SpecialTokens(model.config.mask_id, (model.config.end_id,))
        for cache in caches_of(grid):
            chosen = GenerationSettings(gen_length=24, block_length=block, grid=grid, cache=cache)
            (row,) = token_rows(model, chosen, special, 6, [24], [cache], 7)
            trace = Stepwise().decode(model, [special.fill_id] * 6, chosen, special).trace
            assert row["positions"] == pytest.approx(trace.token_rows / 24)


@pytest.mark.parametrize("script", [bench_forward, bench_engine, bench_tokens])
def test_a_benchmark_has_its_device_to_itself(monkeypatch, script):
    def bench(_):
        with pytest.raises(DeviceHeldError), device_lock(torch.device("cpu"), False, "another", tell=None):
            pass

    monkeypatch.setattr(script, "bench", bench)
    script.main(["--device", "cpu"])


@pytest.mark.parametrize("text", ["0,2", "1,two", ""])
def test_numbers_of_nodes_are_checked(capsys, text):
    with pytest.raises(SystemExit):
        bench_forward.main(["--nodes", text])
    assert f"{text}: expected whole numbers of at least 1, as 1,2,4" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--gen-length", "--block-length"])
@pytest.mark.parametrize("script", [bench_forward, bench_engine])
def test_lengths_are_checked(capsys, script, option):
    with pytest.raises(SystemExit):
        script.main([option, "0"])
    assert f"argument {option}: 0: expected a whole number of at least 1" in capsys.readouterr().err


@pytest.mark.parametrize("block_length", [4, 8])
def test_the_eager_competitor_decodes_what_stepwise_decoding_does(folder, block_length):
    model = load_model(folder, dtype=torch.float64)
    config = model.config
    llama = eager.load_llama(folder, config, torch.device("cpu"), torch.float64)
    settings = GenerationSettings(gen_length=16, block_length=block_length)
    special = SpecialTokens(config.mask_id, (config.end_id,))
    for prompt in ([7], [9, 8, 7, 9, 3], list(range(5, 25))):
        expected = Stepwise().decode(model, prompt, settings, special).response_ids
        assert eager.decode(llama, prompt, 16, block_length, config.mask_id) == expected


@pytest.mark.slow
def test_the_engines_are_compared_at_equal_forwards_and_responses(capsys, monkeypatch):
    monkeypatch.setattr(engines, "compiled_steps", lambda: None)  # which takes half a minute
    few = ["--prompts", "2", "--gen-length", "8", "--block-length", "4", "--device", "cpu"]
    bench_engine.main([*few, "--blocks", "4,8", "--nodes", "1,3", "--budget", "0", "--compile"])
    printed = capsys.readouterr().out
    assert "2 of 2 responses are equal" in printed
    assert next(line for line in printed.splitlines() if "forwards per prompt" in line).count("8.0") == 2
    sizes = [line.replace("│", " ").split() for line in printed.split("ours / floor")[-1].splitlines()]
    rows = [[float(cell) for cell in row] for row in sizes if len(row) == 10]
    assert [row[:2] for row in rows] == [[4, 1], [4, 3], [8, 1], [8, 3]]
    assert all(cell > 0 for row in rows for cell in row)


def test_the_forwards_that_are_timed_have_the_same_logits(folder):
    model = load_model(folder, dtype=torch.float64)
    llama = eager.load_llama(folder, model.config, torch.device("cpu"), torch.float64)
    with torch.inference_mode():
        calls = bench_shapes.calls_of(llama, model, None, Window(16, 24, 16, 24, 24), 3)
        assert torch.allclose(calls["eager"]().logits, calls["ours"](), atol=1e-3)  # Llama norms in float32


@pytest.mark.parametrize("script", [bench_forward, bench_engine])
def test_a_missing_compiler_is_one_clear_line(monkeypatch, script):
    monkeypatch.setenv("CXX", "no-compiler")
    with pytest.raises(ValueError, match=r"no C\+\+ compiler no-compiler; install g\+\+, .*runtime\.engine=eager"):
        script.main(["--device", "cpu", "--compile"])


def test_the_eager_competitor_knows_llada_alone(tmp_path):
    dream = write_tiny_checkpoint(tmp_path / "dream", "dream")
    with pytest.raises(ValueError, match="the eager competitor knows LLaDA alone"):
        eager.load_llama(dream, load_model(dream).config, torch.device("cpu"), torch.float32)


@pytest.mark.parametrize("script", [bench_forward, bench_engine])
@pytest.mark.parametrize(("device", "message"), [("cuda:99", "this machine has"), ("tpu", "expected cpu, cuda or")])
def test_a_device_that_is_not_there_is_one_clear_line(script, device, message):
    with pytest.raises(ValueError, match=f"--device {device}: {message}"):
        script.main(["--device", device])


@pytest.mark.parametrize("script", [bench_forward, bench_engine])
@pytest.mark.parametrize("threads", ["0", "100000"])
def test_threads_that_cannot_be_are_one_clear_line(script, threads):
    with pytest.raises(ValueError, match=f"--threads {threads}: expected 1 to 1024, best the number of this machine"):
        script.main(["--device", "cpu", "--threads", threads])
