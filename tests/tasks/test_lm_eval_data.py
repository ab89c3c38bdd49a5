"""Data of lm-eval's tasks from local files, and what is said where there is none."""

import re
from pathlib import Path

import pytest

from ssd.tasks.lm_eval_task import LmEvalTask
from tests.tasks.own_tasks import rows, write_rows, write_task

pytestmark = pytest.mark.usefixtures("no_hub")


def test_local_files_take_the_place_of_the_data_set(tmp_path: Path) -> None:
    folder = write_task(tmp_path, num_fewshot=None)
    test = write_rows(tmp_path / "other.jsonl", rows(90))
    shown = write_rows(tmp_path / "shown.jsonl", rows(70, count=2))
    one = LmEvalTask("ssd_sums", str(test), str(shown), str(folder), num_fewshot=2, chat=False).documents(None)
    assert len(one) == 6
    assert re.findall("[0-9]+ [+]", one[0].question) in (["70 +", "71 +", "90 +"], ["71 +", "70 +", "90 +"])
    assert (one[0].index, one[0].target) == (0, "91")
    assert LmEvalTask("ssd_sums", str(test), include_path=str(folder)).documents(1)[0].question.count("What") == 1


def test_local_files_that_do_not_fit(tmp_path: Path) -> None:
    folder = write_task(tmp_path, num_fewshot=3)
    asked = write_rows(tmp_path / "asked.jsonl", rows(90))
    other = write_rows(tmp_path / "other.jsonl", [{"problem": "?", "answer": "1"}])
    with pytest.raises(
        ValueError, match=r"task.num_fewshot is 3; ssd_sums has 0 examples here; .*task.fewshot_path=FILE"
    ):
        LmEvalTask("ssd_sums", str(asked), include_path=str(folder)).documents(1)
    with pytest.raises(ValueError, match=r"other\.jsonl lacks fields of lm-eval's ssd_sums \('question' is undefined"):
        LmEvalTask("ssd_sums", str(other), include_path=str(folder), num_fewshot=0).documents(1)
    with pytest.raises(FileNotFoundError, match=r"task\.path=.*absent\.jsonl does not exist"):
        LmEvalTask("ssd_sums", str(tmp_path / "absent.jsonl"), include_path=str(folder)).documents(1)
    with pytest.raises(FileNotFoundError, match=r"task\.include_path=.*absent: no such folder"):
        LmEvalTask("ssd_sums", include_path=str(tmp_path / "absent"))
    unsplit = write_task(tmp_path / "unsplit", training_split=None)
    with pytest.raises(ValueError, match="ssd_sums does not take its examples from another split"):
        LmEvalTask("ssd_sums", str(asked), str(other), str(unsplit)).documents(1)


def test_without_the_hub_both_remedies_are_named(tmp_path: Path) -> None:
    folder = write_task(tmp_path, dataset_path="nobody/nothing", dataset_kwargs=None)
    with pytest.raises(ConnectionError, match=r"cannot be loaded from the Hub .*pass task.path=FILE .*, or run once"):
        LmEvalTask("ssd_sums", include_path=str(folder)).documents(1)
