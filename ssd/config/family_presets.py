"""The preset of a model family: its file of conf/model/ has the defaults for checkpoints without a preset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ssd.paths import CONF

if TYPE_CHECKING:  # torch takes a second
    from ssd.modeling.config import ModelConfig


def family_preset(family: str) -> str:
    """Return the name of the family's preset: the first file of conf/model/ whose name begins with the family's."""
    return min(file.stem for file in (CONF / "model").glob(f"{family}*.yaml"))


def own_blocks(config: ModelConfig, generation: Mapping[str, Any]) -> dict[str, int | None]:
    """Return the options of blocks in which a checkpoint differs from its family's; {} with full attention.

    generation: the options of the family's preset. Its sub-blocks are kept if they divide the checkpoint's block.
    """
    if config.causal_block is None:
        return {}
    own: dict[str, int | None] = {"block_length": config.causal_block}
    part = generation.get("sub_block_length")
    return own | {"sub_block_length": None} if part and config.causal_block % part else own
