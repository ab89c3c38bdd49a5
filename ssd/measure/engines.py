"""Window forwards launched operation by operation, or as one captured graph: `runtime.engine`."""

from __future__ import annotations

from collections.abc import Iterable

from ssd.config.runtime import EngineName, Numerics
from ssd.decoding.cache_policy import cache_policy
from ssd.decoding.canvas import Canvas
from ssd.decoding.decoder import Decoder
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.measure.cost.model import node_grid
from ssd.measure.numerics import with_numerics
from ssd.modeling.batch_invariant import BatchInvariantModel, whole_tiles
from ssd.modeling.cuda_graphs import CudaGraphs, as_it_is, compiled_steps
from ssd.modeling.forwards import DiffusionModel
from ssd.modeling.static_shapes import StaticModel, capacity_for


def with_engine(
    model: DiffusionModel, engine: EngineName, most_nodes: int, numerics: Numerics = "native"
) -> DiffusionModel:
    """Return the model in an engine, for forwards over up to `most_nodes` states.

    eager: as it is; graph: window forwards at static shapes, replayed as CUDA graphs; compile: the same with layers
    compiled (on a CPU without graphs). What `with_numerics` does comes after; under a lock no node may profit from its
    place among the others.
    """
    if engine == "eager":
        return model
    capture = CudaGraphs(model.device) if model.device.type == "cuda" else as_it_is
    steps = compiled_steps() if engine == "compile" else None
    if numerics == "locked":
        most_nodes = whole_tiles(most_nodes, model.config.causal_block)
    return StaticModel(model, most_nodes, capture, steps, packed_nodes=0 if numerics == "locked" else None)


def as_decoded(model: DiffusionModel, engine: EngineName, numerics: Numerics, *decoders: Decoder) -> DiffusionModel:
    """Return the loaded model in the run's engine and numerics, for these decoders."""
    return with_numerics(with_engine(model, engine, most_nodes_of(*decoders), numerics), numerics, *decoders)


def most_nodes_of(*decoders: Decoder) -> int:
    """Return the largest number of states in a window forward of any of the decoders."""
    return max(decoder.most_nodes for decoder in decoders)


def capture_s(model: DiffusionModel) -> float | None:
    """Return the seconds a run's model has spent on captures and compilation; None where nothing is captured."""
    inner = model.inner if isinstance(model, BatchInvariantModel) else model
    return inner.capture_s if isinstance(inner, StaticModel) else None


def capture_all(
    model: DiffusionModel,
    settings: GenerationSettings,
    special: SpecialTokens,
    prompt_lengths: Iterable[int],
    most_nodes: int,
    lookahead: int = 0,
) -> None:
    """Make every forward once that decoding can need after prompts of these lengths (in tokens).

    The longest come first, whose rooms serve the others. Contexts of one capacity, and blocks whose windows and
    contexts are alike, have their forwards in common.
    lookahead: the decoder's. With block-causal attention, forwards over later blocks are not captured.
    """
    seen, reaches = set(), {0} if settings.causal_block else {0, lookahead}
    for prompt_length in sorted(set(prompt_lengths), reverse=True):
        canvas, policy = Canvas([special.fill_id] * prompt_length, settings, special), cache_policy(settings)
        tokens = canvas.tokens
        for block in (each for reach in reaches for each in canvas.blocks(settings, model.config.logits_shift, reach)):
            window = block.window
            context_size = window.start if settings.cache == "exact" else len(tokens) - window.size
            kind = (window.size, window.row_slice.start, window.rows, capacity_for(context_size))
            if window.is_whole or kind in seen:
                continue
            seen.add(kind)
            states = tokens[None, block.start : block.span_stop]
            context = policy.open(model, canvas, states, block, False).context
            for nodes in node_grid(most_nodes):
                model.window(tokens[window.start : window.stop].repeat(nodes, 1), window, context)
