"""Count a corpus's tokens for generation.ranking=pc.

    python scripts/count_tokens.py texts.jsonl --model checkpoints/llada_tiny --out frequencies.json

TEXTS is a text file with one document per line, or JSON lines whose key --key holds the text.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from ssd.decoding.token_frequencies import write_frequencies
from ssd.modeling.checkpoint import load_tokenizer, resolve


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", type=Path, help="a text file, or a file of JSON lines (.jsonl)")
    parser.add_argument("--model", required=True, help="folder or Hub id of the model whose tokenizer counts")
    parser.add_argument("--key", default="text", help="key of the text in JSON lines")
    parser.add_argument("--out", type=Path, required=True, help="the frequency file")
    options = parser.parse_args(words)
    tokenizer = load_tokenizer(resolve(options.model))
    counts: Counter[int] = Counter()
    for text in documents(options.texts, options.key):
        counts.update(tokenizer.encode(text, add_special_tokens=False))
    if not counts:
        parser.error(f"{options.texts}: no text in it")
    write_frequencies(options.out, counts)
    print(f"{options.out}: {sum(counts.values())} tokens, {len(counts)} different ones")


def documents(file: Path, key: str) -> Iterator[str]:
    """Yield the texts of a file, one per line."""
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if file.suffix != ".jsonl":
                yield line.removesuffix("\n")
                continue
            content = json.loads(line)
            if key not in content:
                raise SystemExit(
                    f"error: {file} line {number} has no key {key!r}; pass --key with one of {list(content)}"
                )
            yield content[key]


if __name__ == "__main__":
    main()
