"""The README.md of a tiny checkpoint."""

from collections.abc import Mapping, Sequence
from typing import Any

from scripts.tiny.batches import BLOCK_LENGTH, GEN_LENGTH
from scripts.tiny.evaluation import Score
from scripts.tiny.networks import Network, block_of, is_causal

_DIFFUSION = """No remote code is shipped. `config.json` names classes in `auto_map`, as a Hub checkpoint does,
but their files are not here: `AutoModel.from_pretrained(..., trust_remote_code=True)` fails.
This project loads the folder with its own code:

    python run.py model={name} task=tiny_math runtime.limit=5

In Python:

    import ssd
    model = ssd.load("{name}")  # or the path of this folder
"""
_VERIFIER = """No remote code is shipped or needed. In Python:

    from transformers import AutoModelForCausalLM
    model = AutoModelForCausalLM.from_pretrained("checkpoints/{name}")

APD uses it as verifier:

    python run.py decoder=apd model=dream_tiny task=tiny_math runtime.limit=5
"""


def model_card(recipe: Mapping[str, Any], network: Network, step: int, seconds: float, scores: Sequence[Score]) -> str:
    """Return the README.md: the checkpoint's purpose, recipe and accuracy."""
    parameters = sum(weight.numel() for weight in network.parameters()) / 1e6
    article, kind = ("An", "autoregressive") if is_causal(network) else ("A", "masked diffusion")
    decoding = (
        f"greedy, at most {GEN_LENGTH} tokens"
        if is_causal(network)
        else f"stepwise: gen_length {GEN_LENGTH}, blocks of {block_of(network)}, low-confidence order, greedy, "
        "exact cache"
        if block_of(network)
        else f"stepwise: gen_length {GEN_LENGTH}, block_length {BLOCK_LENGTH}, low-confidence order, greedy, no cache"
    )
    unfinished = "" if step == recipe["steps"] else f"**Unfinished: step {step} of {recipe['steps']}.**\n\n"
    start = f"the weights of `{recipe['starts_from']}`" if recipe["starts_from"] else "random weights"
    rows = "\n".join(f"| {score.task} | {score.accuracy:.1%} | {score.mean_tokens:.1f} |" for score in scores)
    count = recipe["final_count"] if step == recipe["steps"] else recipe["quick_count"]
    notes = f"\n\n{recipe['notes']}" if recipe["notes"] else ""
    mixture = ", ".join(f"{sum(parts)} {name}" for name, parts in recipe["parts"].items())
    loading = (_VERIFIER if is_causal(network) else _DIFFUSION).format(name=recipe["name"])
    return f"""# {recipe["name"]}

{unfinished}{recipe["about"]}

{article} {kind} language model of {parameters:.2f} M parameters. Its files have the layout of a Hub checkpoint.
Tests use it, and you can try decoders on a laptop with it.
It was trained on one synthetic language only (`ssd/tasks/tiny_language.py`). It cannot solve other tasks.

## How to load it

{loading}
## How it was made

| | |
| --- | --- |
| Command | `python -m scripts.train_tiny --model {recipe["name"]}` |
| Recipe | `scripts/tiny/recipes/{recipe["name"]}.yaml` |
| Seed | {recipe["seed"]} |
| Starts from | {start} |
| Data | train split of the synthetic language; each training step uses {mixture} |
| Steps | {step} |
| Wall time | {seconds / 60:.0f} minutes on {recipe["threads"]} CPU thread(s), float32 |

Accuracy on {count} held-out documents of each task ({decoding}; bfloat16 weights run in float32):

| task | accuracy | mean response tokens |
| --- | --- | --- |
{rows}

A held-out question is never in the train split, under any seed. A code answer is correct if it equals the reference
solution, character for character.{notes}
"""
