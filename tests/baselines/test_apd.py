"""APD against a decoder of plain lists, in its limits, and in what it leaves in the trace."""

import math
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import Qwen2Config, Qwen2ForCausalLM

from baselines.apd import APD
from baselines.stepwise import Stepwise
from ssd.config.plan import make_plan
from ssd.decoding.decoder import Decoded
from ssd.decoding.noise import CounterNoise
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.measure.instrumentation import ForwardCounter
from ssd.modeling.config import Family
from ssd.modeling.dllm import MaskedDiffusionModel
from ssd.modeling.kv_cache import SlidingKVCache, Window
from ssd.modeling.verifier import Verifier
from ssd.paths import ROOT
from ssd.run.runner import run
from tests.effort import LONG
from tests.models import tiny_config
from tests.restless import restless_model
from tests.runs import composed

SPECIAL = SpecialTokens(mask_id=63, end_ids=(62, 61))
PROMPT = [5, 17, 40, 2, 33]
LENGTH = 16
HUGE = 1000
SAMPLED = {"temperature": 0.7, "top_p": 0.9}


def random_verifier(vocabulary_size: int = 64, seed: int = 0, sharpness: float = 8.0) -> Verifier:
    config = Qwen2Config(
        vocab_size=vocabulary_size,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=False,
    )
    torch.manual_seed(seed)
    module = Qwen2ForCausalLM(config).double()
    for weight in module.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    with torch.no_grad():
        module.lm_head.weight.mul_(sharpness)
    return Verifier(module)


def apd(verifier: Verifier | None = None, **options: Any) -> APD:
    """A decoder that freezes nothing and looks ahead to the end, unless told."""
    decoder = APD(**({"kv_window": HUGE, "max_lookahead": HUGE, "verifier": "any"} | options))
    decoder.use(verifier or random_verifier())
    return decoder


def settings(**changes: Any) -> GenerationSettings:
    return GenerationSettings(**({"gen_length": LENGTH, "block_length": LENGTH, "cache": "none"} | changes))


def never_says(model: MaskedDiffusionModel, *tokens: int) -> MaskedDiffusionModel:
    """The same model, for which these tokens are never the likeliest: their logits are 0."""
    with torch.no_grad():
        model.transformer.head.weight[list(tokens)] = 0
    return model


def decode(decoder: APD, model: MaskedDiffusionModel, prompt: Sequence[int] = PROMPT, **changes: Any) -> Decoded:
    return decoder.decode(model, prompt, settings(**changes), SPECIAL)


def accepted_counts(decoded: Decoded) -> list[int]:
    return [len(event.picks) for event in decoded.trace.events if event.kind != "verifier"]


class Naive:
    """APD in plain lists: nothing is frozen, cached or done for several positions at once."""

    def __init__(self, model: MaskedDiffusionModel, verifier: nn.Module, generation: GenerationSettings) -> None:
        self.model, self.verifier, self.generation = model, verifier, generation

    def decode(
        self, prompt: list[int], weight: float, lookahead: int, variant: str = "paper"
    ) -> tuple[list[int], list[int]]:
        """The response without its fill, and how many tokens each round accepted."""
        mask, temperature = self.model.config.mask_id, self.generation.temperature
        decided, counts = list(prompt), []
        end = len(prompt) + self.generation.gen_length
        while len(decided) < end and not (counts and decided[-1] in SPECIAL.end_ids):
            first = len(decided)
            drafts = min(lookahead, end - first)
            marginals = self.model.transformer.logits(torch.tensor([decided + [mask] * drafts]))[0, first:].tolist()
            noise = [self.noise(prompt, len(counts), first + ahead) for ahead in range(drafts)]
            loudness = 1.0 if variant == "paper" else temperature
            tokens = [
                self.choice(row, [loudness * value for value in gumbel], temperature)
                for row, gumbel in zip(marginals, noise, strict=True)
            ]
            count = 1
            while count < drafts and tokens[count - 1] not in SPECIAL.end_ids:
                read = [min(token, self.verifier.config.vocab_size - 1) for token in decided + tokens[:count]]
                following = self.verifier(torch.tensor([read]), use_cache=False).logits[0, -1].tolist()
                pairs = zip(marginals[count], following, strict=False)
                mixture = [weight * ours + (1 - weight) * theirs for ours, theirs in pairs]
                if self.choice(mixture, noise[count], temperature if variant == "paper" else 0.0) != tokens[count]:
                    break
                count += 1
            decided += tokens[:count]
            counts.append(count)
        return decided[len(prompt) :], counts

    def noise(self, prompt: list[int], step: int, position: int) -> list[float]:
        gumbel = CounterNoise(self.generation.seed, prompt).gumbel(torch.tensor(step), torch.tensor(position), 64)
        return gumbel.tolist()

    def choice(self, logits: list[float], gumbel: list[float], temperature: float) -> int:
        generation = self.generation
        never = [SPECIAL.mask_id, *([SPECIAL.fill_id] if generation.eos == "suppress_logits" else [])]
        allowed = [token for token in range(len(logits)) if token not in never]
        if not temperature:
            return max(allowed, key=lambda token: logits[token])
        shaped = {token: logits[token] / temperature for token in allowed}
        total, mass, kept = sum(math.exp(value) for value in shaped.values()), 0.0, []
        for token in sorted(allowed, key=lambda token: -shaped[token])[: generation.top_k]:
            if generation.top_p < 1 and mass > generation.top_p:
                break
            kept.append(token)
            mass += math.exp(shaped[token]) / total
        return max(kept, key=lambda token: shaped[token] + gumbel[token])


@pytest.mark.parametrize("variant", ["paper", "code"])
@pytest.mark.parametrize("changes", [{}, SAMPLED, {"temperature": 1.5, "top_k": 5}], ids=["greedy", "top_p", "top_k"])
@pytest.mark.parametrize("vocabulary_size", [60, 64, 70])
def test_it_is_the_decoder_of_plain_lists(
    family: Family, vocabulary_size: int, changes: dict[str, Any], variant: str
) -> None:
    verifier = random_verifier(vocabulary_size)
    counts = []
    for seed, weight, lookahead, eos in ((0, 0.7, HUGE, "keep"), (1, 0.9, 5, "suppress_logits"), (2, 0.0, 3, "keep")):
        model, generation = restless_model(family, seed), settings(**changes, seed=seed, eos=eos)
        prompt = PROMPT[seed:]
        with torch.inference_mode():
            response, expected = Naive(model, verifier.module, generation).decode(prompt, weight, lookahead, variant)
        decoder = apd(verifier, mixture_weight=weight, max_lookahead=lookahead, variant=variant)
        decoded = decoder.decode(model, prompt, generation, SPECIAL)
        assert decoded.response_ids == response + [SPECIAL.fill_id] * decoded.trace.filled
        assert len(response) == LENGTH - decoded.trace.filled
        assert accepted_counts(decoded) == expected
        counts += expected
    assert min(counts) == 1
    assert max(counts) > 1


def test_all_weight_on_the_dllm_is_one_forward(family: Family) -> None:
    model = never_says(restless_model(family), *SPECIAL.end_ids)
    decoded = decode(apd(mixture_weight=1), model)
    reference = Stepwise().decode(model, PROMPT, settings(steps=1), SPECIAL)
    assert decoded.response_ids == reference.response_ids
    assert decoded.trace.nfe_by_kind == {"refresh": 1, "decode": 0, "verify": 0, "verifier": 1}
    assert decoded.trace.acceptance_lengths(LENGTH) == [LENGTH]


def test_a_verifier_that_never_agrees_is_one_token_per_forward(family: Family) -> None:
    """Its vocabulary is one token, which is then the mixture's only choice, and which the dLLM never drafts."""
    model = never_says(restless_model(family), 0, *SPECIAL.end_ids)
    decoded = decode(apd(random_verifier(vocabulary_size=1)), model)
    reference = Stepwise().decode(model, PROMPT, settings(block_length=1), SPECIAL)
    assert decoded.response_ids == reference.response_ids
    assert accepted_counts(decoded) == [1] * LENGTH
    for event in decoded.trace.events:
        assert event.accepted == (0,) * len(event.drafted)


def test_one_position_at_a_time_leaves_nothing_to_verify(family: Family) -> None:
    model = never_says(restless_model(family), *SPECIAL.end_ids)
    decoded = decode(apd(max_lookahead=1), model)
    assert decoded.trace.nfe_by_kind == {"refresh": 1, "decode": LENGTH - 1, "verify": 0, "verifier": 0}
    assert decoded.trace.acceptance_lengths(LENGTH) == []
    assert [event.rows for event in decoded.trace.events] == [len(PROMPT) + 1 + step for step in range(LENGTH)]


def test_the_variants_are_one_without_noise_and_two_with_it(family: Family) -> None:
    model = restless_model(family)
    paper, code = (apd(variant=variant) for variant in ("paper", "code"))
    assert decode(paper, model) == decode(code, model)
    assert decode(paper, model, **SAMPLED).response_ids != decode(code, model, **SAMPLED).response_ids


@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_it_stops_behind_the_first_end_token(family: Family, temperature: float) -> None:
    model, decoder = never_says(restless_model(family), *SPECIAL.end_ids), apd(mixture_weight=1)
    whole = decode(decoder, model, temperature=temperature).response_ids
    last = max(index for index in range(1, LENGTH - 1) if whole[index] not in whole[:index])
    special = SpecialTokens(mask_id=63, end_ids=(62, whole[last]))
    for stop in ("none", "eos_block"):
        stopped = decoder.decode(model, PROMPT, settings(stop=stop, temperature=temperature), special)
        filled = LENGTH - last - 1
        assert stopped.response_ids == whole[: last + 1] + [62] * filled
        assert stopped.trace.filled == filled
        forward, asked = stopped.trace.events
        assert [pick.position for pick in forward.picks] == list(range(last + 1))
        assert forward.accepted == (1,) * last + (0,) * filled
        assert asked.kind == "verifier"
    assert decoder.decode(model, [5, 62], settings(), SPECIAL).trace.filled == 0, "an end token of the prompt's is none"


class Slides(MaskedDiffusionModel):
    """The same model, which remembers what it was asked to compute."""

    def __init__(self, model: MaskedDiffusionModel) -> None:
        self.transformer, self.config = model.transformer, model.config
        self.asked: list[tuple[list[int], Window]] = []

    def slide(self, tokens: Tensor, window: Window, context: SlidingKVCache) -> Tensor:
        self.asked.append((tokens.tolist(), window))
        return super().slide(tokens, window, context)


@pytest.mark.parametrize("variant", ["paper", "code"])
@pytest.mark.parametrize(("kv_window", "lookahead"), [(1, 7), (1, 1), (3, 9), (16, HUGE)])
def test_a_forward_reads_the_last_decided_tokens_and_the_masks_ahead(
    family: Family, variant: str, kv_window: int, lookahead: int
) -> None:
    model = Slides(never_says(restless_model(family), *SPECIAL.end_ids))
    decoder = apd(mixture_weight=0.8, kv_window=kv_window, max_lookahead=lookahead, variant=variant)
    decoded = decode(decoder, model)
    canvas, current, accepted, end = [*PROMPT, *[63] * LENGTH], len(PROMPT), None, len(PROMPT) + LENGTH
    forwards = [event for event in decoded.trace.events if event.kind != "verifier"]
    for (tokens, window), event in zip(model.asked, forwards, strict=True):
        if accepted is None:
            left = 0
        elif variant == "paper":
            left = max(0, current - max(kv_window, accepted))
        else:
            left = max(0, current - kv_window - accepted + 1)
        right = min(current + lookahead, end)
        assert window == Window(left, right, current, right, right)
        assert tokens == canvas[left:right]
        assert event.rows == right - left
        assert len(event.drafted) == right - current - 1
        accepted = len(event.picks)
        canvas[current : current + accepted] = [pick.token for pick in event.picks]
        current += accepted
    assert canvas[len(PROMPT) :] == decoded.response_ids


def test_freezing_changes_the_response_and_a_window_over_everything_does_not(family: Family) -> None:
    model = never_says(restless_model(family), *SPECIAL.end_ids)
    whole, wide, narrow = (decode(apd(kv_window=size), model) for size in (HUGE, len(PROMPT) + LENGTH, 1))
    assert whole == wide
    assert whole.response_ids != narrow.response_ids
    assert narrow.trace.token_rows < whole.trace.token_rows


def test_the_verifier_reads_each_decided_token_once_and_every_draft_but_the_last(family: Family) -> None:
    model, verifier = restless_model(family), random_verifier()
    decoder, counter, read = apd(verifier, max_lookahead=7), ForwardCounter(verifier.module), []
    verifier.module.register_forward_pre_hook(lambda _, given: read.append(given[0].shape[1]))
    decoded = decode(decoder, model)
    asked = [event for event in decoded.trace.events if event.kind == "verifier"]
    assert decoder.verifier is verifier.module
    assert counter.forwards == len(asked) > 2
    assert all((event.nodes, event.picks) == (1, ()) for event in asked)
    expected, known, decided = [], 0, len(PROMPT)
    for event in decoded.trace.events:
        if event.drafted:
            expected.append(decided + len(event.drafted) - known)
            known = min(decided + len(event.drafted), decided + len(event.picks))
        decided += len(event.picks)
    assert [event.rows for event in asked] == read == expected


def test_confidences_are_the_marginals_probabilities(family: Family) -> None:
    model = restless_model(family)
    logits = model.transformer.logits(torch.tensor([PROMPT + [63] * LENGTH]))[0, len(PROMPT) :]
    logits[:, 63] = -torch.inf
    probabilities = logits.softmax(dim=-1)
    for changes in ({}, SAMPLED):
        for pick in decode(apd(), model, **changes).trace.events[0].picks:
            assert pick.confidence == pytest.approx(float(probabilities[pick.position, pick.token]))


def test_a_response_follows_from_seed_and_prompt_alone(family: Family) -> None:
    model, decoder = restless_model(family), apd(kv_window=2)
    first = decode(decoder, model, **SAMPLED)
    decode(decoder, model, [1, 2, 3], **SAMPLED)
    assert decode(decoder, model, **SAMPLED) == first
    assert decode(decoder, model, **SAMPLED, seed=1).response_ids != first.response_ids


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mixture_weight": 1.5}, r"decoder.mixture_weight=1.5: expected a number from 0 \(.*\) to 1 \(.*\)$"),
        ({"mixture_weight": True}, "decoder.mixture_weight=True"),
        ({"kv_window": 0}, "decoder.kv_window=0: expected a whole number of at least 1"),
        ({"max_lookahead": 2.0}, "decoder.max_lookahead=2.0: expected a whole number of at least 1"),
        ({"variant": "thesis"}, "decoder.variant='thesis': expected one of paper, code"),
        ({"verifier": 3}, "decoder.verifier=3: expected a folder or a Hub id"),
    ],
)
def test_options_that_cannot_work_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        APD(**options)


def test_what_cannot_be_decoded_is_refused_before_anything_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, shipped = tiny_config("dream"), "checkpoints/verifier_tiny"
    with pytest.raises(ValueError, match=r"^decoder.verifier=null: apd needs .*; name one with decoder.verifier=FOL"):
        APD().check(settings(), config)
    with pytest.raises(ValueError, match=r"^generation.eos=suppress_confidence: .* pass generation.eos=keep or"):
        APD(verifier=shipped).check(settings(eos="suppress_confidence"), config)
    with pytest.raises(FileNotFoundError, match=r"^decoder.verifier=\./nowhere: no such folder"):
        APD(verifier="./nowhere").check(settings(), config)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ConnectionError, match=r"^decoder.verifier=a/b, .* pass its folder as decoder.verifier=FOLDER$"):
        APD(verifier="a/b").check(settings(), config)
    APD(verifier=shipped).check(settings(eos="suppress_logits", cache="dual", stop="eos_block"), config)


def test_results_depend_on_the_verifiers_folder(tmp_path: Path) -> None:
    assert APD().files() == []
    assert APD(verifier="a/b").files() == []
    (folder,) = APD(verifier="checkpoints/verifier_tiny").files()
    assert folder.samefile(ROOT / "checkpoints" / "verifier_tiny")
    with pytest.raises(FileNotFoundError, match=f"^decoder.verifier={tmp_path}: no config.json there"):
        APD(verifier=str(tmp_path)).files()


def test_prompts_are_checked(family: Family) -> None:
    with pytest.raises(ValueError, match="mask id 63 at position 1"):
        decode(apd(), restless_model(family), [1, 63])


SHARPER = ("generation.temperature=0.2", "generation.top_p=0.95")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "words"),
    [
        case
        for place, case in enumerate(product(["llada_tiny", "dream_tiny"], [(), SHARPER]))
        if LONG or place in (0, 3)  # each model and each way once
    ],
)
def test_the_shipped_models_solve_their_task_in_a_few_forwards(
    name: str, words: tuple[str, ...], tmp_path: Path
) -> None:
    line = (
        "decoder=apd",
        f"model={name}",
        "task=tiny_math",
        f"runtime.limit={2 if LONG else 1}",
        "runtime.predict=false",
        "runtime.warmup=0",
        f"results_dir={tmp_path}",
    )
    summary = run(make_plan(composed(*line, *words)))
    assert summary["accuracy"]["decoder"] == 1
    assert summary["nfe"]["decoder"] < 8
    assert summary["nfe"]["by_kind"]["verifier"] > 0
    assert 0 < summary["verifier_s"]["decoder"] < summary["latency_s"]["p99"]
