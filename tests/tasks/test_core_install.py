"""Tiny tasks run without the packages of the extra `tasks`, and their absence is reported with the remedy."""

import subprocess
import sys

import pytest

from tests.data import REPOSITORY

SCRIPT = """
import sys
for name in ("datasets", "lm_eval", "math_verify", "sympy", "transformers", "torch", "huggingface_hub"):
    sys.modules[name] = None
from ssd.tasks.code_task import CodeTask
from ssd.tasks.gsm8k import GSM8K
from ssd.tasks.lm_eval_task import LmEvalTask
from ssd.tasks.math500 import Math500
from ssd.tasks.prompts import render
from ssd.tasks.qa import QuestionAnswer
from ssd.tasks.tiny_code import TinyHumanEval, TinyMBPP
from ssd.tasks.tiny_math import TinyMath
for task in (TinyMath(), TinyHumanEval("tiny_humaneval"), TinyMBPP("tiny_mbpp")):
    document = task.documents(1)[0]
    assert task.verdict(document.solution, document).correct
    task.close()
for load in (lambda: GSM8K().documents(1), lambda: LmEvalTask("gsm8k"), lambda: Math500().fewshot(1)):
    try:
        load()
    except (ImportError, ValueError) as error:
        assert 'is not installed; pip install "ssd-benchmark[tasks]"' in str(error), error
    else:
        raise AssertionError("nothing is missing")
"""


@pytest.mark.slow
def test_a_core_install_runs_the_tiny_tasks() -> None:
    subprocess.run([sys.executable, "-c", SCRIPT], check=True, cwd=REPOSITORY)
