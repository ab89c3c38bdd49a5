"""Independent references of cache policies: one step at a time, over transformers' layers."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ssd.decoding.noise import CounterNoise
from ssd.modeling.transformer import Transformer
from tests.naive import Picks, fill, picks_of, rank_masks, softmax_of
from tests.naive_forwards import Memory


@dataclass
class NaiveCache(ABC):
    """Low-confidence decoding of one token a step. A subclass has the forward of each step."""

    transformer: Transformer
    prompt: list[int]
    gen_length: int
    block_length: int

    def decode(self) -> tuple[list[int], list[Picks]]:
        """Return the response, and the picks of every step; their confidences are in `confidences`."""
        self.confidences: list[float] = []
        canvas, steps = self.prompt + [self.mask] * self.gen_length, []
        self.memory, self.step = Memory(self.transformer, len(canvas)), 0
        for start in self.starts(canvas):
            clock = 0
            while self.mask in canvas[start : start + self.block_length]:
                block = range(start, start + self.block_length)
                probabilities = softmax_of(self.logits(canvas, block, clock), self.mask)
                steps.append(rank_masks(probabilities, canvas, block, self.mask)[:1])
                self.confidences += [confidence for confidence, _, _ in steps[-1]]
                canvas, clock, self.step = fill(canvas, steps[-1]), clock + 1, self.step + 1
        return canvas[len(self.prompt) :], [picks_of(step, len(self.prompt)) for step in steps]

    @abstractmethod
    def logits(self, canvas: list[int], block: range, clock: int) -> Tensor:
        """The logits of the block's rows, before the step with this number."""

    def starts(self, canvas: list[int]) -> Iterator[int]:
        yield from range(len(self.prompt), len(canvas), self.block_length)

    def window(self, block: range) -> list[int]:
        """The block, with shifted logits also the position before it."""
        return list(range(block.start - self.shift, block.stop))

    @property
    def mask(self) -> int:
        return self.transformer.config.mask_id

    @property
    def shift(self) -> int:
        return self.transformer.config.logits_shift


@dataclass
class NaiveDKV(NaiveCache):
    interval: int = 8

    def logits(self, canvas, block, clock):
        rows = list(range(len(canvas)))
        if clock > 1 and clock % self.interval:
            rows = [row for row in rows if row + self.shift in self.masked_before]
        self.masked_before = {position for position, token in enumerate(canvas) if token == self.mask}
        return self.memory.forward(canvas, rows)


@dataclass
class NaiveDKVPrefill(NaiveCache):
    def logits(self, canvas, block, clock):
        first = len(self.prompt) - self.shift
        return self.memory.forward(canvas, range(first if self.step else 0, len(canvas)))


@dataclass
class NaiveVicinity(NaiveCache):
    """All forwards store what they compute, so that `before` must include the position before a finished block."""

    before: int = 32
    after: int = 32

    def logits(self, canvas, block, clock):
        if clock:
            return self.memory.forward(canvas, self.window(block))
        near = range(max(0, block.start - self.block_length - self.before), min(len(canvas), block.stop + self.after))
        return self.memory.forward(canvas, near if self.step else range(len(canvas)))


@dataclass
class NaiveDPad(NaiveCache):
    base: str = "none"
    density: float = 4.0
    scale: float = 2.0
    width: int = 256
    seed: int = 0

    def logits(self, canvas, block, clock):
        if not clock:
            self.kept = [*range(block.stop), *(p for p in range(block.stop, len(canvas)) if self.keeps(p, block))]
            self.memory = Memory(self.transformer, len(canvas))
        everything = self.base == "none" or not clock
        rows = self.kept if everything else [p for p in self.kept if p >= block.start - self.shift]
        return self.memory.forward(canvas, self.window(block) if self.base == "dual" and clock else rows)

    def keeps(self, position: int, block: range) -> bool:
        index = (block.start - len(self.prompt)) // self.block_length
        drawn = float(CounterNoise(self.seed, self.prompt).uniform(torch.tensor(-1 - index), torch.tensor(position)))
        distance = position - block.stop
        z = self.density * distance / (self.width - 1)
        return distance < self.width and drawn < self.scale * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)


@dataclass
class NaiveSparse(NaiveCache):
    retention: float = 0.5
    kernel: int = 3
    delay: int = 1

    def logits(self, canvas, block, clock):
        if clock > self.delay:
            return self.memory.forward(canvas, self.window(block), self.visible)
        found = self.memory.forward(canvas, range(len(canvas)))
        outside = [row for row in range(len(canvas)) if row not in self.window(block)]
        self.visible = [
            sorted(self.window(block) + self.best(layer, block, outside)) for layer in range(len(self.memory.layers))
        ]
        return found

    def best(self, layer: int, block: range, outside: list[int]) -> list[int]:
        keys, mean = self.memory.keys[layer][0], self.memory.queries(layer, block).mean(dim=1)
        heads, groups = self.transformer.config.heads, self.transformer.config.key_value_heads
        score = [sum(mean[h] @ keys[h * groups // heads, row] for h in range(heads)) / heads for row in outside]
        near = self.kernel // 2
        pooled = [max(score[max(0, place - near) : place + near + 1]) for place in range(len(score))]
        ranked = sorted(range(len(outside)), key=lambda place: (-pooled[place], outside[place]))
        return [outside[place] for place in ranked[: int(self.retention * len(outside))]]


@dataclass
class NaiveDLLMCache(NaiveCache):
    prompt_interval: int = 50
    response_interval: int = 7
    ratio: float = 0.25

    def logits(self, canvas, block, clock):
        """The memory has keys and values; the outputs of attention and MLP are kept here."""
        if not self.step:
            self.outputs = [{} for _ in self.memory.layers]
        response = range(len(self.prompt), len(canvas))
        with torch.no_grad():
            hidden = list(self.memory.embedded(canvas))
            for index, layer in enumerate(self.memory.layers):
                rows = list(range(len(self.prompt))) if not index or self.step % self.prompt_interval == 0 else []
                if not index or self.step % self.response_interval == 0:
                    rows += response
                else:
                    rows += self.changed(index, layer, hidden, response)
                self.renew(index, layer, hidden, rows)
                for row in range(len(canvas)):
                    hidden[row] = hidden[row] + self.outputs[index][row][0] + self.outputs[index][row][1]
            return self.memory.predicted(torch.stack(hidden))

    def renew(self, index, layer, hidden, rows):
        own, around = torch.stack([hidden[row] for row in rows]), self.memory.around(rows, range(len(hidden)), index)
        attention = layer.self_attn(layer.input_layernorm(own)[None], **around)[0][0]
        mlp = layer.mlp(layer.post_attention_layernorm(own + attention))
        self.outputs[index].update(zip(rows, zip(attention, mlp, strict=True), strict=True))

    def changed(self, index, layer, hidden, response):
        values, likeness = self.memory.values[index][0], {}
        for row in response:
            old, new = values[:, row].flatten(), layer.self_attn.v_proj(layer.input_layernorm(hidden[row]))
            likeness[row] = float(new @ old / new.norm() / old.norm())
            values[:, row] = new.view_as(values[:, row])
        return sorted(response, key=lambda row: (likeness[row], row))[: int(self.ratio * self.gen_length)]
