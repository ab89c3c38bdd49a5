"""The script that counts a corpus's tokens."""

import json

import pytest

from scripts import count_tokens
from ssd.decoding.token_frequencies import token_frequencies
from ssd.modeling.checkpoint import load_tokenizer
from ssd.paths import ROOT

MODEL = "checkpoints/llada_tiny"


@pytest.mark.parametrize("name", ["texts.txt", "texts.jsonl"])
def test_a_file_has_the_counts_of_its_texts(tmp_path, capsys, name):
    texts = ["2 apples and 2 pears", "3 apples"]
    lines = texts if name == "texts.txt" else [json.dumps({"story": text}) for text in texts]
    (tmp_path / name).write_text("\n".join(lines))
    out = tmp_path / "frequencies.json"
    key = "story" if name == "texts.jsonl" else "text"
    count_tokens.main([str(tmp_path / name), "--model", MODEL, "--key", key, "--out", str(out)])
    tokenizer, shares = load_tokenizer(ROOT / MODEL), token_frequencies(str(out))
    total = json.loads(out.read_text())["total"]
    assert f"{total} tokens" in capsys.readouterr().out
    token = tokenizer.encode(texts[1], add_special_tokens=False)[0]
    seen = sum(tokenizer.encode(text, add_special_tokens=False).count(token) for text in texts)
    assert shares[token] == pytest.approx(seen / total)


def test_a_line_without_the_key_is_named(tmp_path):
    (tmp_path / "texts.jsonl").write_text('{"story": "2"}\n')
    with pytest.raises(SystemExit, match=r"texts\.jsonl line 1 has no key 'text'; pass --key with one of \['story'\]"):
        count_tokens.main([str(tmp_path / "texts.jsonl"), "--model", MODEL, "--out", str(tmp_path / "out.json")])
