"""Tasks of lm-eval: prompts, examples and verdicts are those of a run of lm-eval itself, and no Hub is needed."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lm_eval
import pytest
import yaml
from lm_eval.api.instance import Instance
from lm_eval.api.model import LM
from lm_eval.tasks import TaskManager
from transformers import PreTrainedTokenizerBase

from ssd.config.plan import make_plan
from ssd.modeling.checkpoint import load_tokenizer
from ssd.modeling.config import Family
from ssd.run.runner import run
from ssd.tasks.lm_eval_task import LmEvalTask, cut_at
from ssd.tasks.prompts import render
from tests.checkpoints import PRESETS, write_tiny_checkpoint
from tests.data import REPOSITORY
from tests.effort import by_turns
from tests.models import FAMILIES
from tests.runs import composed, short_words
from tests.tasks.own_tasks import write_task

BUILT_IN = Path(lm_eval.__file__).parent / "tasks"
ANSWERS = ["#### 18\nQuestion: And now?\n#### 19", "It is 3.\n#### 3", "#### 70,000", "#### 18", "nothing"]

pytestmark = pytest.mark.usefixtures("no_hub")


class Recorder(LM):
    """A model that says what it is told to say, cut as lm-eval's own models cut it, and keeps what it is asked."""

    tokenizer_name = "none"

    def __init__(self, tokenizer: PreTrainedTokenizerBase, answers: list[str]) -> None:
        super().__init__()
        self.tokenizer, self.answers, self.asked = tokenizer, answers, []

    def generate_until(self, requests: list[Instance]) -> list[str]:
        self.asked = [request.args[0] for request in requests]
        until = "|".join(re.escape(stop) for stop in requests[0].args[1]["until"])
        return [re.split(until, answer)[0] for answer in self.answers]

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        return self.tokenizer.apply_chat_template(
            chat_history,
            tokenize=False,
            add_generation_prompt=add_generation_prompt,
            continue_final_message=not add_generation_prompt,
        )

    loglikelihood = loglikelihood_rolling = generate_until


@pytest.fixture
def evaluated(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[dict[str, Any]]]:
    """lm-eval's own evaluation of a task's configuration; returns its samples under the first filter."""
    monkeypatch.setattr("lm_eval.evaluator.add_env_info", lambda results: None)  # asking pip takes seconds

    def evaluate(recorder: Recorder, config: dict[str, Any], chat: bool, **options: Any) -> list[dict[str, Any]]:
        results = lm_eval.simple_evaluate(
            recorder,
            tasks=[config],
            limit=len(recorder.answers),
            apply_chat_template=chat,
            fewshot_as_multiturn=chat,
            bootstrap_iters=0,
            task_manager=TaskManager(include_defaults=False),
            **options,
        )
        samples = results["samples"][config["task"]]
        return [sample for sample in samples if sample["filter"] == samples[0]["filter"]]

    return evaluate


@pytest.mark.parametrize(("family", "chat"), by_turns(FAMILIES, (True, False)))
@pytest.mark.slow
def test_prompts_and_verdicts_are_those_of_lm_eval(
    data: Path, family: Family, chat: bool, evaluated: Callable[..., list[dict[str, Any]]]
) -> None:
    test, train = data / "gsm8k" / "test.jsonl", data / "gsm8k" / "train.jsonl.gz"
    tokenizer = load_tokenizer(REPOSITORY / "checkpoints" / PRESETS[family])
    config = yaml.safe_load((BUILT_IN / "gsm8k" / "gsm8k.yaml").read_text())
    config |= {"dataset_path": "json", "dataset_name": None}
    config |= {"dataset_kwargs": {"data_files": {"test": str(test), "train": str(train)}}}
    recorder = Recorder(tokenizer, ANSWERS)
    samples = evaluated(recorder, config, chat)

    task = LmEvalTask("gsm8k", str(test), str(train), str(BUILT_IN / "gsm8k"), chat=chat)
    documents = task.documents(len(ANSWERS))
    prompts = [render(tokenizer, task, document, task.fewshot(5), chat) for document in documents]
    assert prompts == [tokenizer.encode(asked, add_special_tokens=not chat) for asked in recorder.asked]
    assert all(asked.count("Question:") == 6 for asked in recorder.asked)
    assert len({asked.rpartition("Question:")[0] for asked in recorder.asked}) == len(ANSWERS)

    verdicts = task.judge(list(zip(ANSWERS, documents, strict=True)))
    assert [verdict.correct for verdict in verdicts] == [sample["exact_match"] == 1 for sample in samples]
    assert [verdict.answer for verdict in verdicts] == [sample["filtered_resps"][0] for sample in samples]
    assert [verdict.correct for verdict in verdicts] == [True, True, True, False, False]
    assert verdicts[3].reason == "exact_match is 0 under strict-match"
    assert task.documents(2) == documents[:2]


@pytest.mark.parametrize("chat", [True, False], ids=["chat", "plain"])
def test_descriptions_prefixes_and_examples_from_the_same_split(
    tmp_path: Path, family: Family, chat: bool, evaluated: Callable[..., list[dict[str, Any]]]
) -> None:
    changes = {"description": "Add.", "gen_prefix": "The sum is", "fewshot_split": "test", "num_fewshot": 2}
    folder = write_task(tmp_path, **changes)
    tokenizer = load_tokenizer(REPOSITORY / "checkpoints" / PRESETS[family])
    recorder = Recorder(tokenizer, ["= 2"] * 4)
    evaluated(recorder, yaml.safe_load((folder / "ssd_sums.yaml").read_text()), chat)
    task = LmEvalTask("ssd_sums", include_path=str(folder), chat=chat)
    for document, asked in zip(task.documents(4), recorder.asked, strict=True):
        assert "Add." in asked
        assert asked.endswith("The sum is")
        assert render(tokenizer, task, document, [], chat) == tokenizer.encode(asked, add_special_tokens=not chat)


@pytest.mark.slow
def test_a_run_over_a_task_of_ones_own(tmp_path: Path, family: Family) -> None:
    checkpoint = write_tiny_checkpoint(tmp_path / "checkpoint", family)
    words = ["task=lm_eval", "task.name=ssd_sums", f"task.include_path={write_task(tmp_path / 'own')}"]
    summary = run(make_plan(composed(*words, *short_words(checkpoint, family, tmp_path / "results"))))
    assert summary["prompts"] == 3
    assert summary["identity"]["rate"] == 1
    assert summary["task"] == "ssd_sums"


def test_text_ends_before_the_first_stop_word(tmp_path: Path) -> None:
    task = LmEvalTask("ssd_sums", include_path=str(write_task(tmp_path)))
    document = task.documents(1)[0]
    assert task.verdict("1 + 1 = 2Next: 2 + 1 = 3", document).correct
    assert not task.verdict("1 + 1Next: = 2", document).correct
    assert cut_at("abcd", ["d", "", "b"]) == "a"
    assert cut_at("abcd", []) == "abcd"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_fewshot": 1}, "task.num_fewshot is 1; expected 0, because lm-eval gives ssd_sums no examples"),
        ({"num_fewshot": -1}, "task.num_fewshot is -1; expected an integer of at least 0"),
        ({"chat": "no"}, "task.chat is 'no'; expected true or false"),
        ({"fewshot_path": "a.jsonl"}, "task.fewshot_path=a.jsonl beside task.path=None; expected two files"),
        ({"path": "a.jsonl", "fewshot_path": "./a.jsonl"}, "expected two files"),
    ],
)
def test_options_that_cannot_work(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LmEvalTask("ssd_sums", include_path=str(write_task(tmp_path)), **options)
