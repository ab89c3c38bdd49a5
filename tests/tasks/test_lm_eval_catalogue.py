"""Which tasks of lm-eval are refused, and in which words."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ssd.tasks.lm_eval_catalogue import manager
from ssd.tasks.lm_eval_task import LmEvalTask
from tests.effort import LONG
from tests.tasks.own_tasks import write_task

pytestmark = pytest.mark.usefixtures("no_hub")
NAMED = ("gsm8k", "humaneval", "leaderboard", "minerva_math", "mmlu", "putnam_axiom", "score")
"""Folders of lm-eval with the tasks below."""


@pytest.fixture(scope="module")
def lm_evals_own() -> Iterator[None]:
    """lm-eval's index has the folders above alone, but in a long run: all 14,000 files take ten seconds."""
    from lm_eval import tasks

    kind, root = tasks.TaskManager, Path(str(tasks.__file__)).parent
    named = {"include_path": [root / name for name in NAMED], "include_defaults": False}
    with pytest.MonkeyPatch.context() as patch:
        if not LONG:
            patch.setattr(tasks, "TaskManager", lambda **options: kind(**(options or named)))
        manager.cache_clear()
        yield
    manager.cache_clear()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"output_type": "multiple_choice"},
            "task.name=ssd_sums is of type multiple_choice, which compares likelihoods",
        ),
        ({"output_type": "loglikelihood_rolling"}, "is of type loglikelihood_rolling"),
        ({"repeats": 8}, "judges 8 responses together; expected a generate_until task"),
        ({"unsafe_code": True}, r"runs what the model writes without protection \(task=humaneval"),
        ({"doc_to_image": "image"}, "shows images or plays sounds"),
        ({"class": "own.Task"}, "is a Python class with data of its own"),
        ({"metric_list": [{"metric": "bleu"}]}, "its first metric, bleu, does not score single responses"),
        ({"metric_list": [{"metric": "ter"}]}, "its first metric, ter, does not score single responses"),
        ({"task": "ssd_sum"}, "task.name=ssd_sums is no task of lm-eval; expected one task, such as ssd_sum$"),
        ({"task": "ssd_sums_hard", "tag": "ssd_sums"}, "ssd_sums names several tasks; .*such as ssd_sums_hard$"),
    ],
)
def test_tasks_that_cannot_be_run(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        LmEvalTask("ssd_sums", include_path=str(write_task(tmp_path, **changes))).documents(1)
    assert "\n" not in str(caught.value)


def test_a_missing_package_is_named(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("import no_such_package\n")
    folder = write_task(tmp_path)
    with (folder / "ssd_sums.yaml").open("a") as file:
        file.write("process_docs: !function own.process\n")
    with pytest.raises(ValueError, match=r"task.name=ssd_sums needs a package that is missing: .*no_such_package"):
        LmEvalTask("ssd_sums", include_path=str(folder)).documents(1)


def test_a_module_that_refuses_to_be_imported(tmp_path: Path) -> None:
    """As Minerva's does, whose advice to install lm-eval[math] would break Hydra."""
    (tmp_path / "own.py").write_text("raise AssertionError('pip install lm-eval[math]')\n")
    folder = write_task(tmp_path)
    with (folder / "ssd_sums.yaml").open("a") as file:
        file.write("process_docs: !function own.process\n")
    with pytest.raises(ValueError, match=r"ssd_sums needs an antlr4 .* beside Hydra's .*pass task=math500$") as caught:
        LmEvalTask("ssd_sums", include_path=str(folder)).documents(1)
    assert "\n" not in str(caught.value)


def test_a_task_must_be_named() -> None:
    with pytest.raises(ValueError, match=r"^task=lm_eval needs the name of a task; pass task\.name=NAME, such as"):
        LmEvalTask("lm_eval")


@pytest.mark.slow
@pytest.mark.usefixtures("lm_evals_own")
@pytest.mark.parametrize(
    ("name", "objection"),
    [
        ("minerva_math500", "needs an antlr4 that cannot be installed beside Hydra's"),
        ("minerva_math_algebra", "needs an antlr4"),
        ("leaderboard_math_algebra_hard", "needs an antlr4"),
        ("putnam_axiom", "needs an antlr4"),
        ("prompt_robustness_math_algebra", "evaluates what the model writes as Python, without protection"),
        ("non_greedy_robustness_math_geometry", "evaluates what the model writes"),
    ],
)
def test_mathematics_that_cannot_be_judged_here(name: str, objection: str) -> None:
    with pytest.raises(ValueError, match=rf"^task\.name={name} {objection}.*; pass task=math500$"):
        LmEvalTask(name)


@pytest.mark.slow
@pytest.mark.usefixtures("lm_evals_own")
def test_names_of_lm_evals_own_tasks() -> None:
    assert LmEvalTask("gsm8k_cot").num_fewshot == 8
    with pytest.raises(ValueError, match=r"task.name=gsm8k-cot is no task of lm-eval; .*such as gsm8k_cot"):
        LmEvalTask("gsm8k-cot")
    with pytest.raises(ValueError, match=r"task\.name=mmlu names several tasks; expected one task, such as mmlu_"):
        LmEvalTask("mmlu")
    with pytest.raises(ValueError, match=r"task\.name=humaneval runs what the model writes without protection"):
        LmEvalTask("humaneval")
