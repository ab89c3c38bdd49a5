"""The interface of decoders, and the one decoding loop: refresh a block, then draft, compute, accept and commit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from inspect import Parameter, signature
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from ssd.decoding.cache_policy import cache_policy, check_pair, plain_caches
from ssd.decoding.caches.policy import Opening, kind_of
from ssd.decoding.canvas import Block, Canvas, check_prompt
from ssd.decoding.commit_rule import CommitRule
from ssd.decoding.decided import DecidedRecord
from ssd.decoding.draft import Draft
from ssd.decoding.drafted import DraftRecord
from ssd.decoding.record import ForwardRecord
from ssd.decoding.scores import Scores
from ssd.decoding.session import DecodeSession
from ssd.decoding.settings import GenerationSettings, SpecialTokens, Workload
from ssd.decoding.trace import Event, Trace
from ssd.modeling.config import ModelConfig
from ssd.modeling.forwards import DiffusionModel


@dataclass(frozen=True)
class Decoded:
    """A response and the trace of its decoding."""

    response_ids: list[int]
    trace: Trace


class Decoder(ABC):
    """Interface of decoders: from a prompt to a response and a trace. A decoder does not print or measure time."""

    in_block_order = True
    """Whether all picks are in the leftmost unfinished block."""
    needs_verifier = False
    """Whether `load` loads a second model."""
    needs_timing = False
    """Whether `load` measures the cost of forwards, and drafts depend on it."""
    needs_plain_windows = False
    """Whether the decoder runs forwards of its own over the context of a block's first one."""
    verifier: nn.Module | None = None
    """A second model; its forwards are counted and timed separately."""
    _arguments: tuple[tuple[Any, ...], dict[str, Any]] = ((), {})

    def __new__(cls, *arguments: Any, **options: Any) -> Self:
        decoder = super().__new__(cls)
        decoder._arguments = arguments, options
        return decoder

    def __repr__(self) -> str:
        """Return the class with all options of its constructor, defaults included."""
        positional, named = self._arguments
        bound = signature(type(self).__init__).bind(self, *positional, **named)
        bound.apply_defaults()
        options = bound.signature.parameters.values()
        kinds = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
        names = [option.name for option in options if option.kind in kinds and option.name != "self"]
        values = bound.arguments | self.resolved()
        return f"{type(self).__name__}({', '.join(f'{name}={values[name]!r}' for name in names)})"

    @abstractmethod
    def decode(
        self,
        model: DiffusionModel,
        prompt_ids: Sequence[int],
        settings: GenerationSettings,
        special: SpecialTokens,
    ) -> Decoded:
        """Decode one response of settings.gen_length tokens. Raises ValueError for a prompt that does not fit."""

    @property
    def most_nodes(self) -> int:
        """The largest number of states in one window forward of this decoder."""
        return 1

    @property
    def reference(self) -> BlockDecoder | None:
        """The decoder that this one is compared with; None: stepwise decoding."""
        return None

    def check(self, settings: GenerationSettings, model: ModelConfig) -> None:  # noqa: B027
        """Raise ValueError for settings or a model that this decoder does not support. Runs before loading."""

    def check_all(self, settings: GenerationSettings, model: ModelConfig) -> None:
        """Raise ValueError unless model, cache and decoder fit each other. Runs before loading."""
        check_pair(settings, model)
        self.check_cache(settings)
        self.check(settings, model)

    def check_cache(self, settings: GenerationSettings) -> None:
        """Raise ValueError for a cache that this decoder cannot have."""
        policy, name = cache_policy(settings), f"generation.cache={settings.cache} with {type(self).__name__}"
        if self.most_nodes > 1 and (policy.depends_on == "outputs" or not policy.accepts_drafts):
            raise ValueError(
                f"{name}: a forward over this cache has one state, so that no draft is verified (the cache depends on "
                f"{policy.depends_on}); pass another cache, or a decoder without drafts"
            )
        if policy.has_plain_windows:
            return
        remedy = f"pass generation.cache={' or '.join(plain_caches(settings.grid))}"
        if self.needs_plain_windows:
            raise ValueError(
                f"{name}: this decoder computes windows of its own, which this cache does not have; {remedy}"
            )
        if self.needs_timing:
            raise ValueError(
                f"{name}: drafts depend on the cost of a forward, which this cache varies; {remedy}, or "
                "decoder.costs=[[1,1],[8,1.3]]"
            )

    def caveat(self, settings: GenerationSettings) -> str | None:
        """Return the reason if these settings make a lossless decoder lossy, otherwise None."""
        return None

    def resolved(self) -> dict[str, Any]:
        """Return the values of options that null leaves to the decoder, so that equal runs have equal ids."""
        return {}

    def files(self) -> list[Path]:
        """Return the files, other than the model's, that the decoder's results depend on."""
        return []

    def load(  # noqa: B027
        self, model: DiffusionModel, folder: Path, settings: GenerationSettings, work: Workload
    ) -> None:
        """Load everything else that the decoder needs. Called once before decoding; folder: the model's."""

    @property
    def most_steps(self) -> int | None:
        """The most steps of the reference per forward, reached if every draft is right; None: it drafts nothing."""
        return None

    def measured(self) -> dict[str, Any]:
        """Return measurements of `load` that decoding depends on, as plain data; they are stored with the run."""
        return {}

    def restore(self, measured: dict[str, Any]) -> None:  # noqa: B027
        """Use the measurements of the run's beginning instead of new ones; called before `load`."""

    def keep_confidences(self) -> None:
        """From now on keep the confidences of decided positions in traces. Raises ValueError where that is impossible.

        Without a cache all positions of the response keep theirs, otherwise those of the current block.
        """
        raise ValueError(
            f"{type(self).__name__} keeps no confidences of decided positions, because it has a decoding loop of its "
            "own; pass runtime.confidences=false"
        )


@dataclass
class BlockState:
    """A block in progress, on the host.

    state: int64 [span]; masked: bool [span], the masks that the scores predict; step: of the next picks;
    scores: of one node, computed for this state or for the state before its last picks.
    """

    block: Block
    state: Tensor
    masked: Tensor
    scores: Scores
    step: int

    @property
    def masks(self) -> int:
        return int(self.masked.sum())


class BlockDecoder(Decoder):
    """Semi-autoregressive decoding. A subclass chooses the states to compute and the accepted path among them."""

    commit: CommitRule | None = None
    """The rule for the number of picks per step; None: the schedule decides."""
    runner_up = False
    """Whether drafts use second-best tokens."""
    keeps_confidences = False
    """Whether traces keep the confidences of decided positions."""

    def new_draft_state(self) -> Any:
        """Return the `session.draft_state` of a new response, for `draft` and `accept`."""
        return None

    def draft(self, session: DecodeSession, current: BlockState) -> Draft:
        """Return the states to compute next; by default the current state alone."""
        return Draft.of_state(current.state, current.step)

    def accept(self, session: DecodeSession, draft: Draft, next_states: Tensor, next_steps: Tensor) -> list[int]:
        """Return the accepted path: nodes from node 0 on. The last node's own picks are the bonus.

        next_states: int64 [nodes, span], next_steps: int64 [nodes]: the state and step after each node's own picks.
        """
        return [0]

    def keep_confidences(self) -> None:
        self.keeps_confidences = True

    def check_cache(self, settings: GenerationSettings) -> None:
        super().check_cache(settings)
        if self.lookahead(settings) and not cache_policy(settings).has_plain_windows:
            raise ValueError(
                f"generation.cache={settings.cache}: a block's first forward decides what is stored, so that drafts "
                "cannot reach into later blocks; pass decoder.lookahead=0 or decoder.eager=false"
            )

    def lookahead(self, settings: GenerationSettings) -> int:
        """Return the number of blocks after the current one that drafts may include."""
        return 0

    @torch.inference_mode()
    def decode(
        self,
        model: DiffusionModel,
        prompt_ids: Sequence[int],
        settings: GenerationSettings,
        special: SpecialTokens,
    ) -> Decoded:
        check_pair(settings, model.config)
        self.check_cache(settings)
        check_prompt(prompt_ids, settings, special, model.config)
        canvas = Canvas(prompt_ids, settings, special)
        session = DecodeSession.start(
            model,
            canvas,
            prompt_ids,
            settings,
            self.commit,
            self.runner_up,
            self.new_draft_state(),
            drafts=self.most_nodes > 1,
            keeps_confidences=self.keeps_confidences,
        )
        trace = Trace()
        step, scores = 0, None
        for block in canvas.blocks(settings, model.config.logits_shift, self.lookahead(settings)):
            if self.keeps_confidences and settings.cache == "none" and settings.grid == "prompt":
                block = block.with_earlier_rows(canvas.prompt_length)
            if (canvas.tokens[block.start : block.stop] == special.mask_id).any():
                step, scores = self._decode_block(session, block, trace, step, scores)
            step = max(0, step - session.rule.steps_per_block)
            scores = scores and self._carried(session, block, scores)
            if canvas.is_ended(block.start, canvas.tokens[block.start : block.stop], settings):
                trace.filled = canvas.fill_after(block)
                break
        return Decoded(canvas.response.tolist(), trace)

    def _decode_block(
        self, session: DecodeSession, block: Block, trace: Trace, step: int, known: Scores | None = None
    ) -> tuple[int, Scores | None]:
        """Fill the block, beginning at `step`. Returns the step at which it was full, and the last node's scores.

        known: earlier scores of the block's span, if a draft has reached into it.
        """
        canvas = session.canvas
        first = block.start - canvas.prompt_length
        draft = Draft.of_state(canvas.tokens[block.start : block.span_stop].clone(), step)
        current = None
        if known is not None:
            current = self._state(session, block, draft.states[0], known, step)
            draft = self._draft(session, current)
        opening, scores = self._open(session, draft, block, trace, step)
        kind, rows, stored, context = opening.kind, opening.rows, opening.stored, opening.context
        # With the other rankings, confidence belongs to the position and not to the drafted token.
        by_token = session.runner_up and session.rule.settings.ranking not in ("topk_margin", "entropy", "pc")
        while True:
            ranking = session.rank(scores, draft, block)
            next_states = ranking.apply(draft.states, scores.token)
            path = self.accept(session, draft, next_states, ranking.next_step)
            if current is not None and draft.nodes > 1:
                trace.drafts[trace.forwards] = DraftRecord.of(draft, path, first, current.scores, by_token)
            path = self._until_stop(session, block, path, next_states)
            session.cache.adopt(path)
            last = path[-1]
            state = next_states[last]
            left = ForwardRecord(kind, block.index, rows, first, draft, path, ranking, state, scores.confidence, stored)
            if torch.equal(state, draft.states[0]):  # otherwise the loop might never end
                raise RuntimeError(f"{type(self).__name__} spent a forward that committed nothing, at {left.event()}")
            if scores.decided is not None:
                trace.decided[trace.forwards] = DecidedRecord.of(
                    scores.decided, canvas.prompt_length, block.start, draft, path, state, scores
                )
            trace.note(left.event)
            masked = state == canvas.special.mask_id
            if not masked[: block.stop - block.start].any():
                canvas.tokens[block.start : block.span_stop] = state
                return int(ranking.next_step[last]), scores.node(last)
            current = self._state(session, block, state, scores.node(last), int(ranking.next_step[last]))
            draft = self._draft(session, current)
            kind = kind_of(draft.nodes)
            forward, scores = session.evaluate(draft, block, context, current.scores)
            rows, stored = forward.rows, forward.stored

    def _open(
        self, session: DecodeSession, draft: Draft, block: Block, trace: Trace, step: int
    ) -> tuple[Opening, Scores]:
        """Run the block's first forward, and before it the one that only stores, if the policy has one."""
        stored = session.cache.store(session.model, session.canvas, block)
        if stored:
            trace.note(partial(Event, "refresh", block.index, step, 1, 0, (), stored=stored))
        return session.open(draft, block)

    def _draft(self, session: DecodeSession, current: BlockState) -> Draft:
        """Return the next draft: the current state alone if its scores predict none of its masks.

        Before a cache is settled, too, the forward has the current state alone, as that of stepwise decoding.
        """
        if not current.masks or not session.cache.is_settled:
            return Draft.of_state(current.state, current.step)
        draft = self.draft(session, current)
        if draft.nodes > 1 and draft.parents is None and session.needs_tree:
            raise ValueError(
                f"{type(self).__name__} drafts states that several paths lead to, but the logits of a state depend on "
                f"its path (generation.cache={session.rule.settings.cache}); draft trees with Draft.parents where "
                "session.needs_tree, or choose a cache that depends on the state"
            )
        if draft.nodes > self.most_nodes:  # engines, numerics and predictions allow for `most_nodes` only
            raise ValueError(
                f"{type(self).__name__} drafts {draft.nodes} states for one forward, but its most_nodes is "
                f"{self.most_nodes}; set the class's most_nodes to the largest number of states that it drafts"
            )
        if session.needs_tree and draft.parents is None:
            raise ValueError(
                f"{type(self).__name__} drafts a graph in which one state may have several parents, but its commit "
                "rule or cache depends on the path to a state; draft a tree, and give Draft its parents"
            )
        return draft

    def _state(self, session: DecodeSession, block: Block, state: Tensor, scores: Scores, step: int) -> BlockState:
        masked = (state == session.canvas.special.mask_id) & scores.predicted[0]
        return BlockState(block, state, masked, scores, step)

    def _carried(self, session: DecodeSession, block: Block, scores: Scores) -> Scores | None:
        """Return the scores of the positions behind a full block, for the next block's first draft; None if none are.

        Only an exact cache keeps them: with another, the next block's first forward computes one state alone.
        """
        canvas, length = session.canvas, session.rule.settings.block_length
        if not session.cache.is_exact or block.span_stop == block.stop:
            return None
        next_stop = min(block.span_stop + length, canvas.length)
        return scores.moved(block.stop - block.start, next_stop - block.stop)

    def _until_stop(self, session: DecodeSession, block: Block, path: list[int], next_states: Tensor) -> list[int]:
        """Return the path up to the node whose picks fill a block after which decoding stops."""
        canvas, settings = session.canvas, session.rule.settings
        if settings.stop == "none" or block.span_stop == block.stop:
            return path
        for start in range(block.start, block.span_stop, settings.block_length):
            rows = slice(start - block.start, start - block.start + settings.block_length)
            full = (next_states[path, rows] != canvas.special.mask_id).all(dim=1).tolist()
            if True not in full:
                break
            place = full.index(True)
            if canvas.is_ended(start, next_states[path[place], rows], settings):
                return path[: place + 1]
        return path
