"""A random canvas and the windows that the cache modes recompute for one of its blocks."""

from dataclasses import replace

import torch
from torch import Tensor

from ssd.modeling.config import ModelConfig
from ssd.modeling.kv_cache import Window

LENGTH = 24
BLOCK = (10, 14)
# Dream predicts a position from its left neighbour: `ranked` windows carry it, the others lose the block's first row.
MODES = ("none", "prefix", "dual", "prefix ranked", "dual ranked")


def random_canvas(config: ModelConfig, seed: int = 0, length: int = LENGTH) -> Tensor:
    """Tokens [length], some of them masks."""
    generator = torch.Generator().manual_seed(seed)
    canvas = torch.randint(0, config.mask_id, (length,), generator=generator)
    canvas[torch.rand(length, generator=generator) < 0.4] = config.mask_id
    return canvas


def random_states(config: ModelConfig, canvas: Tensor, window: Window, nodes: int, seed: int = 0) -> Tensor:
    """States [nodes, window] that differ from the canvas and from one another within the block."""
    generator = torch.Generator().manual_seed(1000 + seed)
    states = canvas[window.start : window.stop].repeat(nodes, 1)
    inside = slice(window.first_row - window.start, window.last_row - window.start)
    states[:, inside] = torch.randint(0, config.mask_id + 1, states[:, inside].shape, generator=generator)
    return states


def block_window(config: ModelConfig, mode: str) -> Window:
    """The window of BLOCK under a cache mode, with every row that can be predicted from within it."""
    start, stop = BLOCK
    if mode == "none":
        return Window(0, LENGTH, start, stop, LENGTH)
    lead = config.logits_shift if mode.endswith("ranked") else 0
    last = LENGTH if mode.startswith("prefix") else stop
    return Window(start - lead, last, start + config.logits_shift - lead, stop, LENGTH)


def refresh_window(window: Window) -> Window:
    """The same window with all of the block's rows, which a forward over the whole canvas can always predict."""
    return replace(window, first_row=BLOCK[0])
