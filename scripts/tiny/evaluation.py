"""Measure the accuracy of a tiny network on held-out documents, with a batched greedy decoder without cache."""

import operator
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from scripts.tiny.batches import BLOCK_LENGTH, GEN_LENGTH, prompt_ids
from scripts.tiny.block_causal import decode_blocks
from scripts.tiny.networks import Network, block_of, is_causal, logits
from scripts.tiny.tokenizer import TURN_END
from ssd.modeling.transformer import Transformer
from ssd.tasks.tiny_language import documents, response, user_message

_OPERATORS = {"+": operator.add, "-": operator.sub, "*": operator.mul}
_STEP = re.compile(r"(\d+) ([-+*]) (\d+) = (\d+)")


@dataclass
class Score:
    """The result of an evaluation on one task."""

    task: str
    accuracy: float
    mean_tokens: float
    """Mean number of response tokens before `<|im_end|>`."""
    steps: dict[str, float] = field(default_factory=dict)
    """Share of arithmetic steps with the right result, by operator."""
    wrong: list[tuple[str, str]] = field(default_factory=list)
    """A few wrong responses, each with the correct one."""

    def __str__(self) -> str:
        steps = " ".join(f"{sign} {share:.2f}" for sign, share in sorted(self.steps.items()))
        return f"{self.task} {self.accuracy:.3f} tokens {self.mean_tokens:.1f} {steps}".rstrip()


def evaluate(
    network: Network, tokenizer: PreTrainedTokenizerFast, task: str, count: int, seed: int, tokens_per_step: int = 1
) -> Score:
    """Return the score on `count` test documents. The final number, or the whole code, must be correct."""
    found = documents(task, "test", count, seed)
    by_length: dict[int, list[tuple[list[int], str]]] = defaultdict(list)
    prompts = prompt_ids(tokenizer, [user_message(task, document) for document in found])
    for prompt, document in zip(prompts, found, strict=True):
        by_length[len(prompt)].append((prompt, response(task, document)))
    right, lengths = 0, 0
    tried: Counter[str] = Counter()
    good: Counter[str] = Counter()
    wrong: list[tuple[str, str]] = []
    turn_end = tokenizer.convert_tokens_to_ids(TURN_END)
    for rows in by_length.values():
        answers = decode(network, [prompt for prompt, _ in rows], tokenizer, tokens_per_step)
        for given, (_, expected) in zip(answers, rows, strict=True):
            answer = given[: given.index(turn_end)] if turn_end in given else given
            lengths += len(answer)
            text = str(tokenizer.decode(answer))
            for left, sign, other, result in _STEP.findall(text):
                tried[sign] += 1
                good[sign] += int(result) == _OPERATORS[sign](int(left), int(other))
            if final_answer(task, text) == final_answer(task, expected):
                right += 1
            else:
                wrong.append((text, expected))
    steps = {sign: good[sign] / tried[sign] for sign in tried}
    return Score(task, right / len(found), lengths / len(found), steps, wrong[:5])


def final_answer(task: str, text: str) -> str:
    """Return the compared part: the number after `####`, or the code without its fence."""
    if task != "tiny_math":
        return text.replace("```python\n", "").replace("```", "").strip()
    return text.rpartition("####")[2].strip() if "####" in text else ""


@torch.inference_mode()
def decode(
    network: Network, prompts: Sequence[list[int]], tokenizer: PreTrainedTokenizerFast, tokens_per_step: int
) -> list[list[int]]:
    """Return greedy responses to prompts of equal length: left to right, or by confidence in each block."""
    if block_of(network) is not None and isinstance(network, Transformer):
        return decode_blocks(network, list(prompts), GEN_LENGTH, tokens_per_step)
    was_training = network.training
    network.eval()
    length, mask_id = len(prompts[0]), int(tokenizer.mask_token_id)
    canvas = torch.full((len(prompts), length + GEN_LENGTH), mask_id)
    canvas[:, :length] = torch.tensor(list(prompts))
    if is_causal(network):
        for position in range(length, length + GEN_LENGTH):
            canvas[:, position] = logits(network, canvas[:, :position])[:, -1].argmax(-1)
    else:
        for start in range(length, length + GEN_LENGTH, BLOCK_LENGTH):
            for _ in range(0, BLOCK_LENGTH, tokens_per_step):
                _commit(network, canvas, slice(start, start + BLOCK_LENGTH), mask_id, tokens_per_step)
    network.train(was_training)
    return canvas[:, length:].tolist()


def _commit(network: Network, canvas: Tensor, block: slice, mask_id: int, count: int) -> None:
    """Fill the most confident masked positions of a block, in place."""
    scores = logits(network, canvas)[:, block]
    scores[..., mask_id] = -torch.inf
    confidence, tokens = scores.softmax(-1).max(-1)
    places = confidence.masked_fill(canvas[:, block] != mask_id, -1.0).topk(count, dim=-1).indices
    canvas[:, block] = canvas[:, block].scatter(1, places, tokens.gather(1, places))
