"""Independent references of cache policies: one position at a time, keys and values in dictionaries."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ssd.decoding.noise import CounterNoise
from ssd.modeling.transformer import Layer, Transformer
from tests.naive import Picks, fill, picks_of, rank_masks, softmax_of

Kept = dict[int, tuple[Tensor, Tensor]]
"""Keys and values [key_value_heads, head_size] of positions."""


@dataclass
class Memory:
    """Keys, values and the last queries of every layer."""

    transformer: Transformer
    stored: list[Kept] = field(init=False)
    queries: list[dict[int, Tensor]] = field(init=False)

    def __post_init__(self) -> None:
        self.stored = [{} for _ in self.transformer.layers]
        self.queries = [{} for _ in self.transformer.layers]

    def forward(self, canvas: list[int], rows: Iterable[int], visible: list[list[int]] | None = None) -> Tensor:
        """Compute `rows` and store them; return logits [length, vocabulary] aligned to the predicted position.

        visible: the positions that each layer attends to; None: all that are stored.
        """
        with torch.no_grad():
            hidden = {row: self.transformer.embedding.weight[canvas[row]] for row in rows}
            for index, layer in enumerate(self.transformer.layers):
                self.project(index, layer, hidden)
                seen = visible[index] if visible else sorted(self.stored[index])
                hidden = {row: self.finish(index, layer, row, vector, seen) for row, vector in hidden.items()}
            outputs = torch.full((len(canvas), self.transformer.config.vocabulary_size), -torch.inf).double()
            shift = self.transformer.config.logits_shift
            for row, vector in hidden.items():
                if row + shift < len(canvas):
                    outputs[row + shift] = self.transformer.predict(vector)
            return outputs

    def project(self, index: int, layer: Layer, hidden: dict[int, Tensor]) -> None:
        for row, vector in hidden.items():
            query, key, value = layer.project(vector[None], self.rotations(row))
            self.queries[index][row], self.stored[index][row] = query[0], (key[0], value[0])

    def finish(self, index: int, layer: Layer, row: int, vector: Tensor, seen: list[int]) -> Tensor:
        return layer.finish(vector[None], self.attention(index, row, seen)[None])[0]

    def attention(self, index: int, row: int, seen: list[int]) -> Tensor:
        """Return [heads · head_size]."""
        mixed = []
        for head, query in enumerate(self.queries[index][row]):
            group = head * self.transformer.config.key_value_heads // self.transformer.config.heads
            keys, values = (torch.stack([self.stored[index][other][part][group] for other in seen]) for part in (0, 1))
            mixed.append((keys @ query / math.sqrt(len(query))).softmax(dim=0) @ values)
        return torch.cat(mixed)

    def rotations(self, row: int) -> tuple[Tensor, Tensor]:
        return self.transformer.rotary.rotations(torch.tensor([row]), row + 1, torch.float64)


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
        self.memory, self.step = Memory(self.transformer), 0
        canvas, steps = self.prompt + [self.mask] * self.gen_length, []
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
            self.memory = Memory(self.transformer)
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
            sorted(self.window(block) + self.best(layer, block, outside)) for layer in range(len(self.memory.stored))
        ]
        return found

    def best(self, layer: int, block: range, outside: list[int]) -> list[int]:
        queries, stored = self.memory.queries[layer], self.memory.stored[layer]
        heads, groups = self.transformer.config.heads, self.transformer.config.key_value_heads
        mean = torch.stack([queries[row] for row in block]).mean(dim=0)
        score = [sum(mean[h] @ stored[row][0][h * groups // heads] for h in range(heads)) / heads for row in outside]
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
            self.outputs = [{} for _ in self.transformer.layers]
        response = range(len(self.prompt), len(canvas))
        with torch.no_grad():
            hidden = [self.transformer.embedding.weight[token] for token in canvas]
            for index, layer in enumerate(self.transformer.layers):
                rows = list(range(len(self.prompt))) if not index or self.step % self.prompt_interval == 0 else []
                if not index or self.step % self.response_interval == 0:
                    rows += response
                else:
                    rows += self.changed(index, layer, hidden, response)
                self.renew(index, layer, hidden, rows)
                for row in range(len(canvas)):
                    hidden[row] = hidden[row] + self.outputs[index][row][0] + self.outputs[index][row][1]
            outputs = torch.stack([self.transformer.predict(vector) for vector in hidden])
        return outputs if not self.shift else torch.cat((outputs[:1], outputs[:-1]))

    def renew(self, index, layer, hidden, rows):
        self.memory.project(index, layer, {row: hidden[row] for row in rows})
        for row in rows:
            mixed = self.memory.attention(index, row, sorted(self.memory.stored[index]))
            attention = layer.attention_out(mixed)
            self.outputs[index][row] = attention, layer.mlp((hidden[row] + attention)[None])[0]

    def changed(self, index, layer, hidden, response):
        likeness = {}
        for row in response:
            key, old = self.memory.stored[index][row]
            new = layer.value(layer.attention_norm(hidden[row]))
            likeness[row] = float(new @ old.flatten() / new.norm() / old.norm())
            self.memory.stored[index][row] = key, new.view_as(old)
        return sorted(response, key=lambda row: (likeness[row], row))[: int(self.ratio * self.gen_length)]
