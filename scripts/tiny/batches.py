"""Training batches of examples with equal prompt length, which need no padding.

A batch depends only on the recipe's seed and the step, so training can be resumed.
"""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from scripts.tiny.block_causal import mask_blocks
from scripts.tiny.tokenizer import END, TURN_END
from ssd.tasks.tiny_language import documents, drills, response, user_message

DRILLS = "drills"
GEN_LENGTH = 64
BLOCK_LENGTH = 32

_DRILL_LINES = 9
_TAIL_WEIGHT = 0.1
_RESULT_WEIGHT = 3.0
_PROMPT_WEIGHT = 0.1
_IN_ORDER_SHARE = 0.35
_BY_BLOCKS_SHARE = 0.25
_SOFTEST_FRONTIER = 12.0


@dataclass(frozen=True)
class Bucket:
    """Examples of one kind with prompts of equal length."""

    prompt_length: int
    tokens: Tensor
    """[examples, prompt_length + response region]"""
    weights: Tensor
    """[examples, length]: loss weight of a position; 0 where the diffusion model predicts nothing."""
    ends: Tensor
    """[examples]: response length in tokens, `<|im_end|>` included."""


@dataclass(frozen=True)
class Batch:
    """Inputs, targets and loss weights of one forward."""

    inputs: Tensor
    targets: Tensor
    weights: Tensor
    """[rows, length], as `inputs` and `targets`; 0 where nothing is predicted."""
    offset: int = 0
    """Position of the first token; block-causal models train at every offset of their grid."""


class Pool:
    """All training examples, encoded once; each step draws from them."""

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerFast,
        sizes: Mapping[str, int],
        parts: Mapping[str, Sequence[int]],
        seed: int,
    ) -> None:
        """`sizes`: number of examples of each kind. `parts`: number of rows of each forward of a step, by kind."""
        self.parts = [(kind, rows) for kind, all_rows in parts.items() for rows in all_rows]
        self.seed = seed
        self.mask_id = int(tokenizer.mask_token_id)
        self.end_id = int(tokenizer.get_vocab()[END])
        self.buckets = {kind: _buckets(tokenizer, kind, count, seed) for kind, count in sizes.items()}
        largest = max(rows for _, rows in self.parts)
        for kind, buckets in self.buckets.items():
            self.buckets[kind] = [bucket for bucket in buckets if len(bucket.tokens) >= largest]
        missing = sorted({kind for kind, _ in self.parts if not self.buckets.get(kind)})
        if missing:
            raise ValueError(f"the pool has too few examples of {', '.join(missing)}; raise its size in the recipe")

    def batches(self, step: int, causal: bool, block: int | None = None) -> list[Batch]:
        """Return the batches of a step; their weights add up to one. block: length of a block-causal model's blocks."""
        chooser = random.Random(f"{self.seed}/{step}")
        generator = torch.Generator().manual_seed(chooser.getrandbits(48))
        batches: list[Batch] = []
        for kind, rows in self.parts:
            buckets = self.buckets[kind]
            bucket = chooser.choices(buckets, [len(each.tokens) for each in buckets])[0]
            index = torch.tensor(chooser.sample(range(len(bucket.tokens)), rows))
            if block is not None:
                batches.append(self._in_blocks(bucket, index, generator, block))
            else:
                batches.append(_causal(bucket, index) if causal else self._masked(bucket, index, generator))
        total = sum(float(batch.weights.sum()) for batch in batches)
        return [Batch(batch.inputs, batch.targets, batch.weights / total, batch.offset) for batch in batches]

    def _masked(self, bucket: Bucket, index: Tensor, generator: torch.Generator) -> Batch:
        tokens, weights = bucket.tokens[index], bucket.weights[index]
        hidden = mask_positions(weights > 0, bucket.prompt_length, bucket.ends[index], generator)
        return Batch(tokens.masked_fill(hidden, self.mask_id), tokens, weights * hidden)

    def _in_blocks(self, bucket: Bucket, index: Tensor, generator: torch.Generator, block: int) -> Batch:
        """Return a batch at a random offset of the grid. End tokens continue to the last block's end."""
        offset = int(torch.randint(block, (), generator=generator))
        tokens, weights = bucket.tokens[index], bucket.weights[index]
        rest = -(offset + tokens.shape[1]) % block if bucket.prompt_length else 0
        tokens = torch.cat((tokens, tokens.new_full((len(tokens), rest), self.end_id)), dim=1)
        weights = torch.cat((weights, weights.new_full((len(weights), rest), _TAIL_WEIGHT)), dim=1)
        hidden = mask_blocks(weights > 0, block, offset, generator)
        return Batch(tokens.masked_fill(hidden, self.mask_id), tokens, weights * hidden, offset)


def mask_positions(maskable: Tensor, prompt_length: int, ends: Tensor, generator: torch.Generator) -> Tensor:
    """Return the positions to hide, [rows, length] of bool. Each row uses one of three ways.

    Spread: every maskable position is hidden with one probability, drawn uniformly from [0.05, 1]. In order: roughly
    the positions right of a random one, because confidence usually falls from left to right. By blocks: one block is
    hidden as in the first way, earlier blocks are visible, later ones hidden. Sequences without a prompt are drills.
    Only results of drills are maskable, and most of them are hidden.
    """
    rows, length = maskable.shape
    ratio = 0.05 + 0.95 * torch.rand(rows, 1, generator=generator)
    if prompt_length == 0:
        ratio = 0.5 + 0.5 * ratio
    hidden = torch.rand(rows, length, generator=generator) < ratio
    if prompt_length > 0:
        places = torch.arange(length) - prompt_length
        frontier = torch.rand(rows, 1, generator=generator) * ends[:, None]
        softness = _SOFTEST_FRONTIER * torch.rand(rows, 1, generator=generator)
        in_order = places + softness * torch.randn(rows, length, generator=generator) > frontier
        second = (torch.rand(rows, 1, generator=generator) < 0.35) & (ends[:, None] > BLOCK_LENGTH)
        block = places.div(BLOCK_LENGTH, rounding_mode="floor").expand(rows, length)
        by_blocks = torch.where(block == second.long(), hidden, block > second.long())
        way = torch.rand(rows, 1, generator=generator)
        hidden = torch.where(way < _IN_ORDER_SHARE, in_order, hidden)
        hidden = torch.where(way > 1 - _BY_BLOCKS_SHARE, by_blocks, hidden)
    hidden &= maskable
    first = maskable.float().argmax(dim=1, keepdim=True)
    return hidden.scatter(1, first, hidden.gather(1, first) | ~hidden.any(dim=1, keepdim=True))


def prompt_ids(tokenizer: PreTrainedTokenizerFast, messages: Sequence[str]) -> list[list[int]]:
    """Return the prompt ids of users' messages, rendered by the chat template."""
    chats = [[{"role": "user", "content": message}] for message in messages]
    rendered = tokenizer.apply_chat_template(chats, tokenize=False, add_generation_prompt=True)
    return [list(ids) for ids in tokenizer(rendered, add_special_tokens=False)["input_ids"]]


def _causal(bucket: Bucket, index: Tensor) -> Batch:
    """Return a batch for next-token prediction on prompt and response, cut after the longest response."""
    stop = bucket.prompt_length + int(bucket.ends[index].max()) + 1
    tokens, weights = bucket.tokens[index, :stop], bucket.weights[index, :stop].clone()
    weights[:, : bucket.prompt_length] = _PROMPT_WEIGHT
    return Batch(tokens[:, :-1], tokens[:, 1:], weights[:, 1:])


def _buckets(tokenizer: PreTrainedTokenizerFast, kind: str, count: int, seed: int) -> list[Bucket]:
    pairs = _drill_sheets(count, seed) if kind == DRILLS else _conversations(tokenizer, kind, count, seed)
    end_id, turn_end_id = (tokenizer.get_vocab()[token] for token in (END, TURN_END))
    words = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    rows: dict[tuple[int, int], list[tuple[list[int], list[float], int]]] = defaultdict(list)
    encoded = tokenizer([text for _, text in pairs], add_special_tokens=False)["input_ids"]
    for (prompt, _), answer in zip(pairs, encoded, strict=True):
        weights = _answer_weights([words[token] for token in answer])
        if kind == DRILLS:
            weights = [weight if weight == _RESULT_WEIGHT else 0.0 for weight in weights]
            rows[0, len(answer)].append((answer, weights, len(answer)))
            continue
        tail = GEN_LENGTH - len(answer) - 1
        if tail < 0:
            raise ValueError(f"{kind} has a response of {len(answer)} tokens, {GEN_LENGTH - 1} are allowed")
        tokens = prompt + answer + [turn_end_id] + [end_id] * tail
        weights = [0.0] * len(prompt) + weights + [1.0] + [_TAIL_WEIGHT] * tail
        rows[len(prompt), GEN_LENGTH].append((tokens, weights, len(answer) + 1))
    buckets: list[Bucket] = []
    for (length, _), group in sorted(rows.items()):
        columns = [torch.tensor(column) for column in zip(*group, strict=True)]
        buckets.append(Bucket(length, *columns))
    return buckets


def _conversations(tokenizer: PreTrainedTokenizerFast, task: str, count: int, seed: int) -> list[tuple[list[int], str]]:
    found = documents(task, "train", count, seed)
    prompts = prompt_ids(tokenizer, [user_message(task, each) for each in found])
    return [(prompt, response(task, each)) for prompt, each in zip(prompts, found, strict=True)]


def _drill_sheets(count: int, seed: int) -> list[tuple[list[int], str]]:
    """Return sheets of several facts, one per line, without prompts."""
    facts = drills(count * _DRILL_LINES, seed)
    return [([], "\n".join(facts[index * _DRILL_LINES :][:_DRILL_LINES])) for index in range(count)]


def _answer_weights(words: Sequence[str]) -> list[float]:
    """Return a weight per token; digits of results, after `=` and `####`, weigh more."""
    weights: list[float] = []
    in_result = False
    for word in words:
        bare = word.replace("Ġ", "")
        in_result = bare in ("=", "####") or (in_result and (not bare or bare.isdigit()))
        weights.append(_RESULT_WEIGHT if in_result and bare.isdigit() else 1.0)
    return weights
