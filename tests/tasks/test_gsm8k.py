"""GSM8K on its real files, and without a Hub."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import datasets
import pytest

from ssd.tasks import rows
from ssd.tasks.gsm8k import GSM8K
from ssd.tasks.task import Document, Verdict

GOOD = json.dumps({"question": "How many?", "answer": "2*9=<<2*9=18>>18\n#### 18"})
DataFile = Callable[[str], Path]


@pytest.fixture
def real(data_file: DataFile) -> GSM8K:
    test, train = data_file("gsm8k/test.jsonl"), data_file("gsm8k/train.jsonl.gz")
    return GSM8K(path=str(test), fewshot_path=str(train))


def test_every_gold_answer_is_correct_and_no_question_is(real: GSM8K, data_file: DataFile) -> None:
    documents = real.documents(None)
    upstream = [json.loads(line) for line in data_file("gsm8k/test.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(documents) == 1319
    assert [document.index for document in documents] == list(range(1319))
    for document, row in zip(documents, upstream, strict=True):
        assert document.question == row["question"]
        assert document.solution == row["answer"]
        right = real.verdict(document.solution, document)
        assert right == Verdict(right.answer, True, "strict", strict=True)
        wrong = (document.question, real.raw_prompt(document, []), f"{document.solution[:-1]}1{document.solution[-1]}")
        assert not any(verdict.correct for verdict in real.judge([(text, document) for text in wrong]))


def test_limit_gives_a_prefix(real: GSM8K) -> None:
    documents = real.documents(None)
    assert real.documents(3) == documents[:3]
    assert real.documents(5000) == documents
    assert documents[0].target == "18"
    assert documents[0].solution.endswith("= $<<9*2=18>>18 every day at the farmer\u2019s market.\n#### 18")


@pytest.mark.slow
def test_examples_are_the_first_of_train_with_their_annotations(real: GSM8K) -> None:
    examples = real.fewshot(7473)
    assert len(examples) == 7473
    assert examples[0].question.startswith("Natalia sold clips")
    assert "48/2 = <<48/2=24>>24 clips in May" in examples[0].solution
    assert real.fewshot(2) == examples[:2]
    with pytest.raises(ValueError, match="num_fewshot is 7474; there are 7473 examples; ask for fewer, or pass"):
        real.fewshot(7474)


def test_prompts_are_the_words_of_lm_eval(real: GSM8K) -> None:
    document, (example,) = real.documents(1)[0], real.fewshot(1)
    asked, shown = f"Question: {document.question}\nAnswer:", f"Question: {example.question}\nAnswer:"
    assert real.raw_prompt(document, [example]) == f"{shown} {example.solution}\n\n{asked}"
    assert real.turns(document, [example]) == [
        {"role": "user", "content": shown},
        {"role": "assistant", "content": example.solution},
        {"role": "user", "content": asked},
    ]


def test_base_models_are_cut_at_the_next_question() -> None:
    text = " 9 + 9 = 18\n\nQuestion: And 5 more?\nAnswer: #### 23"
    document = Document(index=0, question="What is 9 + 9?", target="18", solution="#### 18")
    assert GSM8K(chat=False).verdict(text, document) == Verdict("18", True, "flexible", strict=False)
    assert GSM8K(chat=True).verdict(text, document) == Verdict("23", False, "strict", strict=False)
    assert GSM8K(chat=True).verdict("What is 9 + 9?", document) == Verdict(None, False, strict=False)


@pytest.mark.parametrize("target", ["5/6", "8:15", "2 5/6", "3 + 4 = 7", "18 million"])
def test_a_target_that_is_no_plain_number_is_refused(target: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text(f"{GOOD}\n{json.dumps({'question': '?', 'answer': f'#### {target}'})}\n")
    with pytest.raises(ValueError, match=rf"mine\.jsonl line 2: field 'answer' ends .*{re.escape(target)}'; expected"):
        GSM8K(path=str(file)).documents(None)


def test_a_target_in_other_notation_is_read_whole(tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text(json.dumps({"question": "?", "answer": "#### 4e3"}))
    (document,) = (task := GSM8K(path=str(file))).documents(None)
    assert document.target == "4000"
    assert task.verdict("#### 4,000", document) == Verdict("4000", True, "strict", strict=True)
    assert task.verdict("#### 4", document) == Verdict("4", False, "strict", strict=False)


def test_no_code_is_run() -> None:
    assert GSM8K().protection() is None
    GSM8K().close()


@pytest.fixture
def _no_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the Hub alone, and this process as it is where there is none."""
    monkeypatch.setattr(rows, "go_offline_if_unreachable", lambda: None)


@pytest.mark.usefixtures("_no_probe")
def test_without_the_hub_both_remedies_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise ConnectionError("Couldn't reach\n'openai/gsm8k'")

    monkeypatch.setattr(datasets, "load_dataset", unreachable)
    with pytest.raises(ConnectionError, match=r"Couldn't reach 'openai/gsm8k'.*pass task\.path=FILE"):
        GSM8K().documents(1)
    with pytest.raises(ConnectionError, match=r"pass task\.fewshot_path=FILE\.jsonl .*or task\.num_fewshot=0"):
        GSM8K(num_fewshot=1).fewshot(1)


def test_plain_text_has_the_five_examples_of_lm_eval_and_a_chat_none() -> None:
    assert [GSM8K(chat=chat).num_fewshot for chat in (True, False)] == [0, 5]
    assert [GSM8K(chat=chat, num_fewshot=2).num_fewshot for chat in (True, False)] == [2, 2]
    assert GSM8K(chat=False, num_fewshot=0).num_fewshot == 0


@pytest.mark.usefixtures("_no_probe")
def test_rows_of_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str, str]] = []

    def load(name: str, config: str, split: str) -> datasets.Dataset:
        asked.append((name, config, split))
        return datasets.Dataset.from_list([json.loads(GOOD), {"question": "?", "answer": "none"}])

    monkeypatch.setattr(datasets, "load_dataset", load)
    with pytest.raises(ValueError, match="openai/gsm8k train row 1: field 'answer' ends 'none'"):
        GSM8K().fewshot(1)
    assert asked == [("openai/gsm8k", "main", "train")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_fewshot": -1}, r"task\.num_fewshot is -1; expected an integer of at least 0"),
        ({"num_fewshot": "five"}, r"task\.num_fewshot is 'five'"),
        ({"num_fewshot": True}, r"task\.num_fewshot is True"),
        ({"chat": "no"}, r"task\.chat is 'no'; expected true or false"),
        ({"path": "a.jsonl", "fewshot_path": "./a.jsonl"}, "examples would reveal answers"),
    ],
)
def test_constructor_refuses(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GSM8K(**arguments)  # type: ignore[arg-type]
