"""Every decoder of conf/decoder, built as run.py builds it, with the variants whose other branches need a look."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import yaml
from omegaconf import OmegaConf

from baselines.stepwise import Stepwise
from ssd.config.plan import build_decoder
from ssd.decoding.block_decoder import BlockDecoder
from ssd.decoding.decoder import Decoder
from ssd.decoding.settings import GenerationSettings, SpecialTokens, Workload
from ssd.modeling.config import Family
from ssd.modeling.dllm import MaskedDiffusionModel
from ssd.paths import CONF, ROOT
from tests.data import project_files
from tests.models import BLOCK_CAUSAL, FAMILIES
from tests.restless import restless_model
from tests.runs import composed

NAMES = [file.stem for file in project_files("conf/decoder/*.yaml")]
OWN = sorted({file.stem for file in (CONF / "decoder").glob("*.yaml")} - set(NAMES))
"""A user's own decoders: files that git does not track. `make test` leaves them out."""

LOSSLESS = {
    f"decoder={name}": yaml.safe_load((CONF / "decoder" / f"{name}.yaml").read_text())["lossless"] for name in NAMES
}
"""What each YAML claims."""

VARIANTS: dict[str, tuple[str, ...]] = {
    "apd": ("decoder.variant=code", "decoder.kv_window=2 decoder.max_lookahead=3 decoder.mixture_weight=0.2"),
    "fast_dllm": (
        "decoder.rule=factor",
        "decoder.threshold=0.3",
        "decoder.threshold=0.3 decoder.scope=global",
        "decoder.threshold=0.3 decoder.scope=global decoder.candidates=3",
    ),
    "freedave": (
        "decoder.draft_steps=1",
        "decoder.draft_steps=8 decoder.rule=exact_match",
        "decoder.eager=true decoder.draft_steps=6",
        "decoder.threshold=0.3",
        "decoder.threshold=0.3 decoder.rule=exact_match decoder.draft_steps=8",
    ),
    "psd": (
        "decoder.threshold=0.3",
        "decoder.rule=factor decoder.builder=best_first",
        "decoder.threshold=0.3 decoder.depth=auto decoder.builder=best_first",
        "decoder/commit=klass decoder.commit.threshold=0.2 decoder.commit.kl_threshold=1 decoder.builder=best_first",
        "decoder/commit=credit decoder.commit.threshold=0.3 decoder.depth=auto",
    ),
    "ssd": (
        "decoder.builder=best_first",
        "decoder.builder=best_first decoder.budget=17 decoder.alternatives=true",
        "decoder.builder=kary decoder.alternatives=true",
        "decoder.lookahead=2 decoder.builder=best_first",
        "decoder.depth=auto decoder.budget=9",
        "decoder.depth=auto decoder.builder=best_first decoder.costs=[[1,1.0],[8,1.2],[9,2.0]]",
    ),
    "wino": ("decoder.threshold=0.3 decoder.threshold_back=0.5",),
}


@dataclass(frozen=True)
class Limit:
    """Where a lossy decoder must be stepwise decoding after all: its options, and the settings for which that holds."""

    words: str
    settings: Callable[[GenerationSettings], GenerationSettings] = lambda settings: settings


def _one_step(settings: GenerationSettings) -> GenerationSettings:
    return replace(settings, cache="none", block_length=settings.gen_length, steps=1, top_p=1.0, top_k=None)


def _one_by_one(settings: GenerationSettings) -> GenerationSettings:
    """One token per step; `origin` is a number of tokens at random, so that its order stands in for it."""
    ranking = "random" if settings.ranking == "origin" else settings.ranking
    return replace(settings, ranking=ranking, schedule="uniform", steps=None)


LIMITS = {
    "fast_dllm": Limit("decoder.threshold=2", _one_by_one),
    "eb": Limit("decoder.commit.gamma=-1", _one_by_one),
    "klass": Limit("decoder.commit.threshold=2", _one_by_one),
    "credit": Limit("decoder.commit.threshold=2 decoder.commit.alpha=0", _one_by_one),
    "localleap": Limit("decoder.commit.threshold=2", _one_by_one),
    "hierarchical": Limit("decoder.commit.threshold=2 decoder.commit.low=1", _one_by_one),
    "wino": Limit("decoder.threshold=2", _one_by_one),
    # All weight on the dLLM accepts every draft: one step commits the whole response.
    "apd": Limit("decoder.mixture_weight=1 decoder.max_lookahead=1000", _one_step),
}

SPECIAL = SpecialTokens(mask_id=1, end_ids=(0, 4))
SMALL = 12
TINY: dict[Family, str] = {name: f"{name}_tiny" for name in (*FAMILIES, *BLOCK_CAUSAL)}


@dataclass(frozen=True)
class Candidate:
    """A decoder and what its YAML says of it."""

    decoder: Decoder
    lossless: bool

    @property
    def reference(self) -> BlockDecoder:
        return self.decoder.reference or Stepwise()


# The overrides of every decoder and variant, as a command line has them.
LINES = [f"decoder={name} {words}".rstrip() for name in NAMES for words in ("", *VARIANTS.get(name, ()))]


@cache
def candidate(line: str, family: Family) -> Candidate:
    """The decoder that run.py would build for these words, loaded beside a model of the family.

    It is given the costs of forwards: timing them takes seconds, and its drafts would depend on the machine.
    """
    values = OmegaConf.to_container(composed(f"model={TINY[family]}", *line.split()), resolve=True)["decoder"]
    decoder = build_decoder(values)
    decoder.restore({"costs": [[1, 1.0], [4, 1.1], [16, 1.6]]})
    folder, model, generation = ROOT / "checkpoints" / TINY[family], model_of(family), GenerationSettings(gen_length=32)
    if family in BLOCK_CAUSAL:
        block_length = model.config.causal_block
        generation = replace(generation, grid="absolute", cache="exact", block_length=block_length)
    if accepts(decoder, generation, family):
        decoder.load(model, folder, generation, Workload())
    return Candidate(decoder, values["lossless"])


@cache
def model_of(family: Family, seed: int = 0) -> MaskedDiffusionModel:
    """A random model in float64 that has the tiny checkpoints' vocabulary, so that their verifier fits it."""
    return restless_model(family, seed, vocabulary_size=512, mask_id=SPECIAL.mask_id, end_id=SPECIAL.fill_id)


@cache
def small_model(family: Family, seed: int) -> MaskedDiffusionModel:
    """The same with so few tokens that end tokens and ties come up often."""
    return restless_model(family, seed, vocabulary_size=SMALL, mask_id=SPECIAL.mask_id, end_id=SPECIAL.fill_id)


def accepts(decoder: Decoder, settings: GenerationSettings, family: Family) -> bool:
    """Whether the decoder takes these settings and this family."""
    try:
        decoder.check(settings, model_of(family).config)
    except ValueError:
        return False
    return True
