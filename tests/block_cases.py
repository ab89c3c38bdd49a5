"""Cases of several blocks at random: a model, a prompt at any offset of the grid, settings, and decoders."""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from hypothesis import strategies as st

from baselines.freedave import FreeDave
from baselines.psd import ParallelSelfSpeculative
from ssd.decoding.block_decoder import BlockDecoder
from ssd.decoding.cache_policy import check_pair
from ssd.decoding.decoder import Decoded, Decoder
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.modeling.dllm import MaskedDiffusionModel
from ssd.speculation.decoder import SelfSpeculative
from tests.graphs import random_graph_file
from tests.models import BLOCK_CAUSAL, FAMILIES
from tests.restless import restless_model
from tests.traces import order

MASK = 63
RANKINGS = ("low_confidence", "sequential", "random", "maskgit_plus", "topk_margin", "entropy", "origin")
restless = lru_cache(maxsize=16)(restless_model)


@dataclass(frozen=True)
class Case:
    """One prompt to decode; end_ids: many of them, so that stops happen."""

    family: str
    seed: int
    sharpness: float
    prompt: tuple[int, ...]
    settings: GenerationSettings
    end_ids: tuple[int, ...] = (62, 61)

    @property
    def model(self) -> MaskedDiffusionModel:
        return restless(self.family, self.seed, sharpness=self.sharpness, causal_block=self.settings.causal_block)

    @property
    def special(self) -> SpecialTokens:
        return SpecialTokens(MASK, self.end_ids)

    def decode(self, decoder: Decoder, model: MaskedDiffusionModel | None = None, **changes: Any) -> Decoded:
        """Return the decoder's result; changes: of the settings."""
        settings = replace(self.settings.with_cache(changes.get("cache", self.settings.cache)), **changes)
        decoder.check(settings, self.model.config)
        return decoder.decode(model or self.model, list(self.prompt), settings, self.special)


def outcome(decoded: Decoded) -> tuple[list[int], list[tuple[int, int]], int]:
    """What must be equal: the response, the order of commitment, and the number of positions that a stop filled."""
    return decoded.response_ids, order(decoded.trace), decoded.trace.filled


def case(family: str, block: int, prompt: int, gen_length: int, seed: int = 0, **changes: Any) -> Case:
    """A case by hand; prompt: its length."""
    own = {"cache": "exact", "grid": "absolute"} if family in BLOCK_CAUSAL else {"cache": "none"}
    settings = GenerationSettings(**(own | changes), block_length=block, gen_length=gen_length)
    return Case(family, seed, 3.0, tuple((7 * place + seed) % 60 for place in range(prompt)), settings)


@st.composite
def cases(draw: st.DrawFn, sampled: bool = True) -> Case:
    """Every option that changes what stepwise decoding gives, at every offset of the grid."""
    family, block = draw(st.sampled_from(BLOCK_CAUSAL)), draw(st.sampled_from([1, 2, 4, 8, 16, 32]))
    whole, offset = draw(st.integers(0, 2 if block < 16 else 1)), draw(st.integers(0, block - 1))
    parts = draw(st.sampled_from([1, 1, *(parts for parts in (2, 4, 8) if parts <= block)]))
    per_part = block // parts
    fewest = 2 if family == "fast_dllm_v2" and per_part > 1 else 1
    settings = GenerationSettings(
        gen_length=draw(st.integers(1, 20 if block < 16 else 36)),
        block_length=block,
        sub_block_length=None if parts == 1 else per_part,
        grid="absolute",
        steps=draw(st.one_of(st.none(), st.integers(fewest, per_part).map(lambda steps: steps * parts))),
        cache="exact",
        store=draw(st.sampled_from(["fused", "separate"])),
        ranking=draw(st.sampled_from(RANKINGS)),
        schedule=draw(st.sampled_from(["uniform", "dream"])),
        temperature=draw(st.sampled_from([0.0, 0.0, 0.3, 1.0])) if sampled else 0.0,
        top_p=draw(st.sampled_from([1.0, 1.0, 0.9])),
        top_k=draw(st.sampled_from([None, None, 5])),
        eos=draw(st.sampled_from(["keep", "keep", "suppress_logits", "suppress_confidence"])),
        stop=draw(st.sampled_from(["none", "eos_block", "eos_any"])),
        seed=draw(st.integers(0, 3)),
    )
    prompt = draw(
        st.lists(st.integers(0, 60), min_size=max(1, whole * block + offset), max_size=max(1, whole * block + offset))
    )
    ends = draw(st.sampled_from([(62, 61), (62, *range(1, 60, 8))]))
    made = Case(family, draw(st.integers(0, 5)), draw(st.sampled_from([1.0, 3.0])), tuple(prompt), settings, ends)
    check_pair(made.settings, made.model.config)
    return made


@st.composite
def full_cases(draw: st.DrawFn) -> Case:
    """Full attention, with the caches over which drafts in later blocks verify exactly."""
    block, blocks = draw(st.sampled_from([1, 3, 8])), draw(st.integers(1, 4))
    parts = draw(st.sampled_from([1, 1, block, 4 if block == 8 else 1]))
    steps = draw(st.one_of(st.none(), st.integers(1, block // parts).map(lambda steps: steps * parts * blocks)))
    settings = GenerationSettings(
        gen_length=blocks * block,
        block_length=block,
        sub_block_length=block // parts,
        steps=steps,
        cache=draw(st.sampled_from(["none", "none", "dkv_prefill"])),
        ranking=draw(st.sampled_from(RANKINGS)),
        schedule=draw(st.sampled_from(["uniform", "dream"])),
        temperature=draw(st.sampled_from([0.0, 0.0, 0.3, 1.0])),
        top_p=draw(st.sampled_from([1.0, 1.0, 0.9])),
        eos=draw(st.sampled_from(["keep", "keep", "suppress_logits", "suppress_confidence"])),
        stop=draw(st.sampled_from(["none", "eos_block", "eos_any"])),
        seed=draw(st.integers(0, 3)),
    )
    prompt = draw(st.lists(st.integers(0, 60), min_size=1, max_size=12))
    ends = draw(st.sampled_from([(62, 61), (62, *range(1, 60, 8))]))
    family = draw(st.sampled_from(FAMILIES))
    return Case(family, draw(st.integers(0, 5)), draw(st.sampled_from([1.0, 3.0])), tuple(prompt), settings, ends)


@st.composite
def lossless_decoders(draw: st.DrawFn, lookahead: bool = True) -> BlockDecoder:
    """Decoders that claim to give what stepwise decoding gives; lookahead: drafts into later blocks included."""
    kind = draw(st.sampled_from(["chain", "kary", "best_first", "spiffy", "freedave"]))
    if kind == "freedave":
        rule = draw(st.sampled_from(["exact_match", "subset"]))
        return FreeDave(draw(st.integers(1, 12)), rule, eager=lookahead and draw(st.booleans()))
    if kind == "spiffy":
        graph, reach = random_graph_file(draw(st.integers(0, 99))), draw(st.integers(0, 2)) if lookahead else 0
        return SelfSpeculative(draw(st.integers(1, 9)), builder="spiffy", graph=graph, lookahead=reach)
    auto = kind != "kary" and draw(st.booleans())
    rise, reach = (
        draw(st.sampled_from([1.0, 1.5, 4.0])),
        draw(st.sampled_from([(), (1.0, 1.0), (1.1, 2.0), (2.0, 8.0)])),
    )
    costs = [[1, 1.0, *reach[:1]], [17, rise, *[rise * each for each in reach[1:]]]]
    return SelfSpeculative(
        depth="auto" if auto else draw(st.integers(1, 9)),
        costs=costs if auto else None,
        width=draw(st.integers(1, 4)) if kind != "chain" else 1,
        budget=draw(st.one_of(st.none(), st.integers(2, 17))),
        builder=kind,
        alternatives=kind != "chain" and draw(st.booleans()),
        lookahead=draw(st.integers(0, 2)) if lookahead else 0,
    )


@st.composite
def parallel_decoders(draw: st.DrawFn, lookahead: bool = True) -> BlockDecoder:
    """PSD and FreeDave++: each names its reference."""
    threshold = draw(st.sampled_from([0.05, 0.2, 0.5, 0.8, 1.1]))
    if draw(st.booleans()):
        eager = lookahead and draw(st.booleans())
        return FreeDave(draw(st.integers(1, 12)), "exact_match", eager=eager, threshold=threshold)
    return ParallelSelfSpeculative(
        rule=draw(st.sampled_from(["threshold", "dynamic", "factor"])),
        threshold=threshold,
        factor=draw(st.sampled_from([0.3, 1.5])),
        depth=draw(st.integers(1, 9)),
        width=2,
        builder=draw(st.sampled_from(["kary", "best_first"])),
        alternatives=draw(st.booleans()),
    )
