"""Stepwise decoding: one state, one forward, one step. All other decoders are compared with it."""

from __future__ import annotations

from ssd.decoding.block_decoder import BlockDecoder


class Stepwise(BlockDecoder):
    """The decoding loop with drafts of one node (LLaDA, arXiv 2502.09992; caches of Fast-dLLM, arXiv 2505.22618)."""

    def __str__(self) -> str:
        return "stepwise decoding"
