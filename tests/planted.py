"""Decoders that are wrong on purpose: each claims to be lossless, none is, and the audit must say so."""

from dataclasses import dataclass, replace
from itertools import groupby, islice
from unittest.mock import patch

import torch

from baselines.freedave import FreeDave
from baselines.psd import ParallelSelfSpeculative
from baselines.stepwise import Stepwise
from ssd.decoding.block_decoder import BlockState
from ssd.decoding.canvas import block_at
from ssd.decoding.draft import Draft
from ssd.decoding.ranking import Ranking
from ssd.decoding.session import DecodeSession
from ssd.decoding.trace import Trace
from ssd.modeling import kv_cache as context
from ssd.modeling import transformer
from ssd.modeling.attention import attend
from ssd.speculation.decoder import SelfSpeculative
from ssd.speculation.draft_tree import grow
from ssd.speculation.forecast import Forecast
from ssd.speculation.verify import accepted_path


class BelievesAll(SelfSpeculative):
    """Fills its whole chain in and goes on from there, whatever the forward says."""

    def accept(self, session, draft, next_states, next_steps):
        return list(range(draft.nodes))


class BelievesOneMore(SelfSpeculative):
    """Walks as it should, then takes one unverified node with it."""

    def accept(self, session, draft, next_states, next_steps):
        path = super().accept(session, draft, next_states, next_steps)
        return [*path, path[-1] + 1] if path[-1] + 1 < draft.nodes else path


class ChecksFirstOnly(SelfSpeculative):
    """Verifies the first drafted pick and, where it holds, takes the rest of the chain on trust."""

    def accept(self, session, draft, next_states, next_steps):
        path = super().accept(session, draft, next_states, next_steps)
        return list(range(draft.nodes)) if len(path) > 1 else path


class IgnoresOrder(SelfSpeculative):
    """Fills its drafts in and re-reads them: a draft is believed if its token is the one the node before it predicts
    there, although stepwise decoding might have picked another position."""

    def _decode_block(self, session, block, trace, step, known=None):
        rank = session.rule.rank

        def remember(scores, masked, block) -> Ranking:
            self._scores = scores
            return rank(scores, masked, block)

        session.rule.rank = remember
        decoded = super()._decode_block(session, block, trace, step, known)
        session.rule.rank = rank
        return decoded

    def accept(self, session, draft, next_states, next_steps):
        path = [0]
        for node in range(1, draft.nodes):
            drafted = draft.states[node] != draft.states[path[-1]]
            if not torch.equal(self._scores.token[path[-1]][drafted], draft.states[node][drafted]):
                break
            path.append(node)
        return path


class StaleContext(SelfSpeculative):
    """Off by one block: opens each block on the canvas as it was before the previous block was decoded."""

    blocks_missed: int | None = 1

    def _decode_block(self, session, block, trace, step, known=None):
        missing = block.start - session.canvas.prompt_length
        if self.blocks_missed is not None:
            missing = min(missing, self.blocks_missed * (block.stop - block.start))
        return super()._decode_block(_LateSession(**vars(session), missing=missing), block, trace, step, known)


class NeverRefreshes(StaleContext):
    """Keeps the cache that the first block was opened with: to all later blocks the whole response is still masked."""

    blocks_missed = None


@dataclass(frozen=True)
class _LateSession(DecodeSession):
    """Opens a block as if the `missing` positions before it were masked still."""

    missing: int

    def open(self, draft, block):
        fresh = self.canvas.tokens.clone()
        self.canvas.tokens[block.start - self.missing : block.start] = self.canvas.special.mask_id
        opened = super().open(draft, block)
        self.canvas.tokens.copy_(fresh)
        return opened


class EndsBlocksEarly(SelfSpeculative):
    """Off by one position: every block but the last ends one position early, and the next one begins there."""

    def _decode_block(self, session, block, trace, step, known=None):
        rule, settings, canvas = session.rule, session.rule.settings, session.canvas
        start = block.start - (block.index > 0)
        stop = block.stop - (block.stop < canvas.length)
        shift = session.model.config.logits_shift
        rule.settings = replace(settings, block_length=stop - start, gen_length=stop - start, steps=None)
        if block.stop == canvas.length:  # it is longer than the schedule knows
            rule._counts = torch.cat((rule._counts[:-1], torch.tensor([1, 0])))
        moved_block = block_at(block.index, start, canvas.length, rule.settings, shift)
        decoded = super()._decode_block(session, moved_block, trace, step, known)
        rule.settings = settings
        return decoded


class RightTokensInAnotherOrder(SelfSpeculative):
    """Gives stepwise decoding's very response, but commits the tokens of a block from left to right."""

    def decode(self, model, prompt_ids, settings, special):
        right = super().decode(model, prompt_ids, settings, special)
        events = []
        for _, block in groupby(right.trace.events, key=lambda event: event.block):
            block = list(block)
            picks = iter(sorted(pick for event in block for pick in event.picks))
            events += [event._replace(picks=tuple(islice(picks, len(event.picks)))) for event in block]
        return replace(right, trace=Trace(events, right.trace.filled))


class DraftsBeyondTheBlock(FreeDave):
    """With eager=True: decides tokens of the next blocks before their cache is refreshed, and does not say so."""

    def caveat(self, settings):
        return None


WRONG = (
    BelievesAll,
    BelievesOneMore,
    ChecksFirstOnly,
    IgnoresOrder,
    StaleContext,
    NeverRefreshes,
    EndsBlocksEarly,
)
"""Wrong in every cache mode."""


class HidesAForward(Stepwise):
    """Right, but it spends one forward per step that its trace does not show."""

    def draft(self, session: DecodeSession, current: BlockState) -> Draft:
        session.model.refresh(session.canvas.tokens, current.block.refresh)
        return super().draft(session, current)


class LeaksBetweenNodes(SelfSpeculative):
    """Right, but its forwards are not: every node but the first attends to the last rows of the node before it in place
    of its own, as where a kernel forgets to write them. With nodes evaluated one by one there is nothing to see."""

    def decode(self, model, prompt_ids, settings, special):
        with patch.object(context, "attend", _leaking), patch.object(transformer, "attend", _leaking):
            return super().decode(model, prompt_ids, settings, special)


def _leaking(query, key, value, *rest, **named):
    key, value = key.clone(), value.clone()
    for kept in (key, value):
        last = slice(kept.shape[2] // 2, None)
        kept[1:, :, last] = kept[:-1, :, last].clone()
    return attend(query, key, value, *rest, **named)


class AdvancesPerForward(ParallelSelfSpeculative):
    """The memory of its commit rule advances once per forward: every node goes on from the memory of the last forward,
    and not from that of the node before it."""

    def _decode_block(self, session, block, trace, step, known=None):
        return super()._decode_block(_ForwardSession(**vars(session)), block, trace, step, known)


class _ForwardSession(DecodeSession):
    """Takes every node for a root."""

    def evaluate(self, draft, block, context, before=None):
        return super().evaluate(replace(draft, parents=tuple(range(draft.nodes))), block, context, before)


class MergesPaths(ParallelSelfSpeculative):
    """Drafts equal states once, with the memory of one of the paths to them, and accepts them by every path."""

    def draft(self, session, current):
        forecast = Forecast(session, current, self.depth)
        draft = grow(forecast, current, "kary", self.depth, self.width, self.budget, False)
        filled = draft.states != session.canvas.special.mask_id
        parents = [0]
        for node in range(1, draft.nodes):
            before = [other for other in range(node) if draft.depths[other] == draft.depths[node] - 1]
            parents.append(next(other for other in before if not (filled[other] & ~filled[node]).any()))
        return replace(draft, parents=tuple(parents))

    def accept(self, session, draft, next_states, next_steps):
        return accepted_path(replace(draft, parents=None), next_states, next_steps)
