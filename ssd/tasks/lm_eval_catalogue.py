"""Which tasks lm-eval knows, and which of them can be run here."""

from __future__ import annotations

import difflib
import logging
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ssd.extras import extra

if TYPE_CHECKING:
    from lm_eval.tasks import TaskManager

UNNAMED = "lm_eval"
"""What conf/task/lm_eval.yaml calls itself until the user names a task."""

ANTLR = "needs an antlr4 that cannot be installed beside Hydra's"
# Minerva's functions, and what has been copied from them: some refuse to be imported, others call every answer wrong.
_NEEDS_ANTLR = re.compile("minerva_math|leaderboard_math|putnam_axiom")
# They hand responses to SymPy's parse_expr, which is eval.
_EVALUATES = re.compile("_robustness_math_")


@cache
def manager(include_path: str | None) -> TaskManager:
    """Index lm-eval's own tasks, or those of a folder, once per process: it takes seconds."""
    with extra("tasks", "task=lm_eval"):
        from lm_eval.tasks import TaskManager

    logging.getLogger("lm_eval").setLevel(logging.ERROR)  # it warns of every default that a task falls back to
    if include_path is None:
        return TaskManager()
    if not whole(include_path).is_dir():
        raise FileNotFoundError(f"task.include_path={include_path}: no such folder; pass one with lm-eval's YAML files")
    return TaskManager(include_path=whole(include_path), include_defaults=False)


def find(name: str, include_path: str | None) -> Mapping[str, Any]:
    """Return a task's configuration if the task can be run here."""
    if name == UNNAMED:
        raise ValueError(f"task={UNNAMED} runs a task that you name; give task.name=NAME, such as task.name=gsm8k_cot")
    tasks = manager(include_path)
    if name not in tasks.all_subtasks:
        kind = "names several tasks" if name in tasks.all_tasks else "is none that lm-eval knows"
        near = [task for task in tasks.all_subtasks if task.startswith(name)]
        near = near or difflib.get_close_matches(name, tasks.all_subtasks) or tasks.all_subtasks
        raise ValueError(f"task.name={name} {kind}; expected one task, such as {', '.join(near[:5])}")
    config, remedy = tasks.task_index[name].cfg, "name another one"
    if "class" in config:
        objection = "is a Python class with data of its own"
    elif config.get("output_type", "generate_until") != "generate_until":
        objection = f"is of type {config['output_type']}, which compares likelihoods"
    elif config.get("repeats", 1) != 1:
        objection = f"judges {config['repeats']} responses together"
    elif config.get("unsafe_code"):
        objection = "runs what the model writes without protection (task=humaneval and task=mbpp do not)"
    elif include_path is None and _NEEDS_ANTLR.match(name):
        objection, remedy = ANTLR, "pass task=math500"
    elif include_path is None and _EVALUATES.search(name):
        objection, remedy = "evaluates what the model writes as Python, without protection", "pass task=math500"
    elif "doc_to_image" in config or "doc_to_audio" in config:
        objection = "shows images or plays sounds"
    else:
        return config
    raise ValueError(
        f"task.name={name} {objection}; expected a generate_until task with one text per document; {remedy}"
    )


def whole(path: str) -> Path:
    return Path(path).expanduser().resolve()
