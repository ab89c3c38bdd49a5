"""SSD, Self Speculative Decoding (arXiv 2510.04147): draft from the current logits, verify in one forward."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any, cast

from torch import Tensor

from ssd.decoding.block_decoder import BlockDecoder, BlockState
from ssd.decoding.cache_policy import cache_policy, caches_across_blocks
from ssd.decoding.draft import Draft
from ssd.decoding.session import DecodeSession
from ssd.decoding.settings import GenerationSettings, Workload
from ssd.modeling.config import ModelConfig
from ssd.modeling.forwards import DiffusionModel
from ssd.speculation import draft_tree
from ssd.speculation.draft_graph import DraftGraph, draft_from_graph, find_graph
from ssd.speculation.draft_length import Choice, DraftLengthPolicy
from ssd.speculation.draft_memory import DraftMemory
from ssd.speculation.draft_tree import Node, Taken, expand, to_draft
from ssd.speculation.forecast import Forecast, steps_foreseen
from ssd.speculation.node_costs import NodeCosts
from ssd.speculation.options import Builder, Depth, check_options
from ssd.speculation.pick_model import PRIOR
from ssd.speculation.pick_prior import find_prior, read_prior
from ssd.speculation.round_costs import Costs, costs_from, find_costs, measure_costs
from ssd.speculation.verify import accepted_path

WIDTHS: dict[Builder, int] = {"chain": 1, "kary": 2, "best_first": 4, "spiffy": 1}
MOST_NODES = 32


class SelfSpeculative(BlockDecoder):
    """Lossless: response and order of picks are those of stepwise decoding.

    depth: steps drafted ahead, or `auto`: the draft length policy chooses the number of nodes in every round;
    width: continuations per node (None: 1 for a chain, 2 for kary, 4 for best_first);
    budget: most nodes per verify forward, the current state included (None: depth + 1, for kary depth · width + 1, for
    spiffy all nodes of the graph, for depth `auto` 32);
    builder: see `expand`, and `draft_from_graph` for spiffy (None: chain for one continuation per node, best_first for
    more);
    alternatives: draft second-best tokens too;
    graph: the file of spiffy's draft graph, which alone determines the drafts;
    costs: the cost of forwards for depth `auto` (None: `load` measures it);
    lookahead: number of later blocks that drafts may reach into, where the cache verifies them;
    prior: the file of the weights that the pick model starts from in each response (None: the built-in ones).
    Raises ValueError naming the option, its value and what was expected.
    """

    def __init__(
        self,
        depth: Depth = 8,
        width: int | None = None,
        budget: int | None = None,
        builder: Builder | None = "chain",
        alternatives: bool = False,
        graph: str | None = None,
        costs: Costs | None = None,
        lookahead: int = 0,
        prior: str | None = None,
    ) -> None:
        builder = builder or ("chain" if width in (None, 1) and alternatives is False else "best_first")
        check_options(depth, width, budget, builder, alternatives, graph)
        self.is_auto = depth == "auto"
        if costs is not None and not self.is_auto:
            raise ValueError(f"decoder.costs={costs}: expected null, only decoder.depth=auto uses costs")
        self._files = [find_graph(graph)] if graph else [find_costs(costs)] if isinstance(costs, str) else []
        self._graph = DraftGraph.read(self._files[0]) if graph else None
        self.builder: Builder = builder
        self.width = WIDTHS[builder] if width is None else width
        self.runner_up = self._graph.runner_up if self._graph else alternatives
        self.depth, self.budget = self._limits(depth, budget)
        self._asked_budget = None if budget == self._limits(depth, None)[1] else budget
        self._given = None if costs is None else costs_from(costs)
        self.needs_timing = self.is_auto and self._given is None
        self._measured: NodeCosts | None = None
        self._length_policy = DraftLengthPolicy(self._given, self.budget) if self._given else None
        if type(lookahead) is not int or lookahead < 0:
            raise ValueError(f"decoder.lookahead={lookahead}: expected a whole number of at least 0")
        self._lookahead = lookahead
        self._learns = self.is_auto or alternatives or builder == "best_first"
        self._prior = PRIOR
        if prior is not None:
            if not self._learns:
                raise ValueError(
                    f"decoder.prior={prior}: decoder.builder={builder} with a fixed depth estimates no picks; pass "
                    "decoder.prior=null, decoder.builder=best_first or decoder.depth=auto"
                )
            self._files.append(find_prior(prior))
            self._prior = read_prior(self._files[-1])

    def _limits(self, depth: Depth, budget: int | None) -> tuple[int, int]:
        """Return the most steps drafted ahead and the most nodes per forward."""
        if depth == "auto":
            budget = budget or MOST_NODES
            return budget - 1, budget
        drafts = len(self._graph.nodes) if self._graph else depth * (self.width if self.builder == "kary" else 1)
        return depth, budget or drafts + 1

    @property
    def most_nodes(self) -> int:
        return self.budget

    def resolved(self) -> dict[str, Any]:
        """Return the builder and width that null stands for; the builder's own budget is null."""
        return {"builder": self.builder, "width": self.width, "budget": self._asked_budget}

    def files(self) -> list[Path]:
        return self._files

    @property
    def most_steps(self) -> int | None:
        return None if self._lookahead else min(self.depth + 1, self.budget)

    def load(self, model: DiffusionModel, folder: Path, settings: GenerationSettings, work: Workload) -> None:
        if self.needs_timing:
            self._measured = self._measured or measure_costs(self, model, settings, work, self.budget)
            self._length_policy = DraftLengthPolicy(self._measured, self.budget)

    def measured(self) -> dict[str, Any]:
        return {"costs": self._measured.rows} if self._measured else {}

    def restore(self, measured: dict[str, Any]) -> None:
        self._measured = NodeCosts.of_rows(measured["costs"]) if "costs" in measured else None

    def lookahead(self, settings: GenerationSettings) -> int:
        return self._lookahead

    def check(self, settings: GenerationSettings, model: ModelConfig) -> None:
        if self._graph and cache_policy(settings).depends_on == "path":
            raise ValueError(
                f"decoder.builder=spiffy with generation.cache={settings.cache}: several paths lead to a state of the "
                "graph, but this cache depends on the path; pass decoder=ssd"
            )
        if self._lookahead and not cache_policy(settings).verifies_later_blocks:
            raise ValueError(
                f"decoder.lookahead={self._lookahead} with generation.cache={settings.cache}: with full attention, "
                "a later block's forwards read other keys and values, so that drafts there are not verified exactly; "
                f"pass decoder.lookahead=0 or generation.cache={' or '.join(caches_across_blocks(settings.grid))}"
            )

    def new_draft_state(self) -> DraftMemory:
        return DraftMemory(self._prior)

    def draft(self, session: DecodeSession, current: BlockState) -> Draft:
        memory: DraftMemory = session.draft_state
        memory.enter(current.block.index)
        depth = steps_foreseen(self.depth, session.rule.settings) if self.is_auto else self.depth
        forecast = Forecast(session, current, depth, memory.pick_model if self._learns else None, memory.fresh)
        if self._graph:
            return draft_from_graph(self._graph, forecast, current, self.depth, self.budget)
        memory.forecast = forecast
        builder, merged = cast(draft_tree.Builder, self.builder), not session.needs_tree
        taken = expand(forecast, builder, depth, self.width, self.runner_up, merged)
        if not self.is_auto:
            return to_draft([node for node, _ in islice(taken, self.budget)], current)
        if self._length_policy is None:
            raise RuntimeError("decoder.depth=auto needs costs: call load first, or give decoder.costs")
        chosen = self._chosen(self._length_policy, taken, session, current)
        return to_draft(chosen.nodes, current, chosen.spans)

    def _chosen(
        self, policy: DraftLengthPolicy, taken: Iterable[Taken], session: DecodeSession, current: BlockState
    ) -> Choice:
        """Return the nodes of a round with depth `auto`."""
        memory, block = session.draft_state, current.block
        causal = session.rule.settings.causal_block is not None
        if not (causal and policy.chooses_reach and block.span_stop > block.stop):
            return policy.choose(taken, memory.steps, memory.spent, spans=not policy.chooses_reach)
        length = block.stop - block.start
        masks = int(current.masked[:length].sum())

        def masks_left(node: Node) -> int:
            return masks - sum(fill.row < length for fill in node.filled)

        return policy.choose_reach(taken, memory.steps, memory.spent, masks_left, session.rule.most_picks)

    def accept(self, session: DecodeSession, draft: Draft, next_states: Tensor, next_steps: Tensor) -> list[int]:
        path = accepted_path(draft, next_states, next_steps)
        if self._learns:
            session.draft_state.take(draft, path, next_states, self._length_policy)
        return path
