"""Find a task of lm-eval by name, and refuse those that cannot run here."""

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
"""The name in conf/task/lm_eval.yaml until the user sets `task.name`."""

ANTLR = "needs an antlr4 that cannot be installed beside Hydra's"
# These use Minerva's functions. Some cannot be imported, others score every answer as wrong.
_NEEDS_ANTLR = re.compile("minerva_math|leaderboard_math|putnam_axiom")
# These pass responses to SymPy's parse_expr, which evaluates them as code.
_EVALUATES = re.compile("_robustness_math_")


@cache
def manager(include_path: str | None) -> TaskManager:
    """Return an index of lm-eval's own tasks, or of a folder's. It takes seconds, so it is built once per process."""
    with extra("tasks", "task=lm_eval"):
        from lm_eval.tasks import TaskManager

    logging.getLogger("lm_eval").setLevel(logging.ERROR)  # it warns about every default of a task
    if include_path is None:
        return TaskManager()
    if not whole(include_path).is_dir():
        raise FileNotFoundError(f"task.include_path={include_path}: no such folder; pass one with lm-eval's YAML files")
    return TaskManager(include_path=whole(include_path), include_defaults=False)


def find(name: str, include_path: str | None) -> Mapping[str, Any]:
    """Return a task's configuration; raise ValueError if the task is unknown or cannot run here."""
    if name == UNNAMED:
        raise ValueError(f"task={UNNAMED} needs the name of a task; pass task.name=NAME, such as task.name=gsm8k_cot")
    tasks = manager(include_path)
    if name not in tasks.all_subtasks:
        kind = "names several tasks" if name in tasks.all_tasks else "is no task of lm-eval"
        near = [task for task in tasks.all_subtasks if task.startswith(name)]
        near = near or difflib.get_close_matches(name, tasks.all_subtasks) or tasks.all_subtasks
        raise ValueError(f"task.name={name} {kind}; expected one task, such as {', '.join(near[:5])}")
    config, remedy = tasks.task_index[name].cfg, "name another task"
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
    """Return the absolute path."""
    return Path(path).expanduser().resolve()
