"""Costs of a round of `decoder.depth=auto` by number of nodes: given by an option, or measured on the model."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch

from ssd.decoding.block_decoder import BlockDecoder, BlockState
from ssd.decoding.canvas import Block, Canvas
from ssd.decoding.draft import Draft
from ssd.decoding.scores import Scores
from ssd.decoding.session import DecodeSession
from ssd.decoding.settings import GenerationSettings, SpecialTokens, Workload
from ssd.modeling.forwards import DiffusionModel
from ssd.paths import find_file
from ssd.speculation.draft_tree import grow
from ssd.speculation.forecast import Forecast, steps_foreseen
from ssd.speculation.node_costs import NodeCosts, measure
from ssd.speculation.pick_model import PickModel

EXAMPLE = (
    "expected null, a JSON file, or rows as [[1, 0.010], [8, 0.013]], with later blocks as "
    "[[1, 0.010, 0.012], [8, 0.013, 0.018]]"
)

Costs = str | Sequence[Sequence[float]]
"""The option `decoder.costs`: a JSON file of [nodes, seconds] or [nodes, seconds, spanning] rows, or these rows."""


def find_costs(path: str) -> Path:
    """Return the file at a path, also relative to the project. Raises FileNotFoundError."""
    return find_file("decoder.costs", path, EXAMPLE)


def costs_from(costs: Costs) -> NodeCosts:
    """Return the costs of the option. Raises ValueError or FileNotFoundError in one line that names it."""
    try:
        return NodeCosts.read(find_costs(costs)) if isinstance(costs, str) else NodeCosts.of_rows(costs)
    except (ValueError, TypeError) as error:
        raise ValueError(f"decoder.costs={costs}: {error}; {EXAMPLE}") from error


def measure_costs(
    decoder: BlockDecoder, model: DiffusionModel, settings: GenerationSettings, work: Workload, budget: int
) -> NodeCosts:
    """Return the seconds of a round over 1, 2, 4, ... `budget` states of a middle block, from draft to next state.

    In a batch every response has this number of states; all share a forward, and each is scored by itself. A prompt too
    long for the model's context is cut.
    Chains represent all drafts: other trees take a little longer to build, and their forwards cost the same.
    Where forwards can leave out later blocks, those that do and those that do not are timed in turn.
    """
    special = SpecialTokens(model.config.mask_id, (model.config.end_id,))
    prompt = [special.fill_id] * max(1, min(work.prompt_length, model.config.context_length - settings.gen_length))
    canvas, lookahead = Canvas(prompt, settings, special), decoder.lookahead(settings)
    session = DecodeSession.start(
        model, canvas, prompt, settings, decoder.commit, decoder.runner_up, drafts=decoder.most_nodes > 1
    )
    blocks = list(canvas.blocks(settings, model.config.logits_shift, lookahead))
    block = blocks[max(0, len(blocks) - lookahead) // 2]
    state = canvas.tokens[block.start : block.span_stop].clone()
    first = Draft.of_state(state, 0)
    opening, scores = session.open(first, block)
    begun = [_after(session, block, first, scores)]
    if settings.causal_block and block.span_stop > block.stop:
        # Only a block that is nearly full makes a forward compute later ones.
        state[: block.stop - block.start - 1] = special.fill_id
        nearly_full = Draft.of_state(state, 0)
        _, scores = session.evaluate(nearly_full, block, opening.context, scores)
        begun.append(_after(session, block, nearly_full, scores))

    def play(nodes: int, current: BlockState, spans: bool) -> None:
        drafts = [_chain(session, current, nodes) for _ in range(work.batch_size)]
        states, steps = (torch.cat([getattr(draft, name) for draft in drafts]) for name in ("states", "steps"))
        parents = tuple(each * nodes + parent for each in range(len(drafts)) for parent in drafts[each].parents or ())
        together = Draft(states, steps, sum((draft.depths for draft in drafts), ()), parents or None, spans)
        computed = session.computed(together, block)
        forward = session.cache.evaluate(model, canvas, together, computed, opening.context)
        for draft, logits in zip(drafts, forward.logits.split(nodes), strict=True):
            scores = session.score(logits, draft, block, forward.first_position, current.scores)
            session.rank(scores, draft, block).apply(draft.states, scores.token)

    counts = sorted({budget, *(2**power for power in range(budget.bit_length()))})
    rounds = {
        (count, spans): partial(play, count, current, bool(spans))
        for count in counts
        for spans, current in enumerate(begun)
    }
    seconds = measure(rounds, model.device)
    # With padded nodes, costs are not linear between counts.
    every = sorted({*counts, *(count for count in range(1, budget) if model.computed_nodes(count) != count)})
    timed = {count: counts[bisect_left(counts, count)] for count in every}
    return NodeCosts.of_rows((count, *(seconds[timed[count], spans] for spans in range(len(begun)))) for count in every)


def _after(session: DecodeSession, block: Block, draft: Draft, scores: Scores) -> BlockState:
    """Return the state after the picks of a draft's one node."""
    ranking = session.rank(scores, draft, block)
    state = ranking.apply(draft.states, scores.token)[0]
    masked = (state == session.canvas.special.mask_id) & scores.predicted[0]
    return BlockState(block, state, masked, scores, int(ranking.next_step))


def _chain(session: DecodeSession, current: BlockState, nodes: int) -> Draft:
    """Return a chain of `nodes` nodes; its last node repeats if the block has too few masks."""
    depth = steps_foreseen(nodes, session.rule.settings)
    forecast = Forecast(session, current, depth, PickModel())
    draft = grow(forecast, current, "chain", depth, 1, nodes, session.runner_up, not session.needs_tree)
    places = torch.arange(nodes).clamp(max=draft.nodes - 1)
    depths = tuple(draft.depths[place] for place in places)
    parents = draft.parents and tuple(draft.parents[place] for place in places)
    return Draft(draft.states[places], draft.steps[places], depths, parents)
