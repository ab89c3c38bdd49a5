"""Load a task of lm-eval with its data set, from the Hub or from local files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ssd.tasks.jsonl import read_records
from ssd.tasks.lm_eval_catalogue import ANTLR, manager
from ssd.tasks.rows import go_offline_if_unreachable

if TYPE_CHECKING:
    from lm_eval.api.task import ConfigurableTask

LOCAL = "pass task.path=FILE with its documents and task.fewshot_path=FILE with its examples as .jsonl"


def load(
    name: str,
    config: Mapping[str, Any],
    include_path: str | None,
    num_fewshot: int,
    path: str | None,
    fewshot_path: str | None,
) -> ConfigurableTask:
    """Return the task with `config`, changed to this number of few-shot examples and to local files.

    Raise ConnectionError if the Hub does not provide the data, and ValueError if the task's module cannot be imported.
    """
    from datasets.exceptions import DatasetsError

    changes = {"num_fewshot": num_fewshot, **(_local_data(name, config, path, fewshot_path) if path else {})}
    if not path:
        go_offline_if_unreachable()
    try:
        # Only as member of a group can a named task have changed keys.
        loaded = manager(include_path).load({"group": "ssd", "task": [{"task": name, **changes}]})
    except (OSError, DatasetsError) as error:
        raise ConnectionError(
            f"task.name={name}: its data set cannot be loaded from the Hub ({one_line(error)}); {LOCAL}, or "
            "run once where the Hub can be reached"
        ) from error
    except ImportError as error:
        raise ValueError(f"task.name={name} needs a package that is missing: {one_line(error)}") from error
    except AssertionError as error:
        raise ValueError(
            f"task.name={name} {ANTLR} ({one_line(error)}); name another task, or pass task=math500"
        ) from error
    return loaded["tasks"][name]


def one_line(error: Exception) -> str:
    """Return the message of an error without line breaks."""
    return " ".join(str(error).split())


def _local_data(name: str, config: Mapping[str, Any], path: str, fewshot_path: str | None) -> dict[str, Any]:
    """Return the configuration for local files. The asked split gets the documents, others the examples."""
    from datasets import Dataset

    asked = config.get("test_split") or config.get("validation_split")
    others = {config.get(f"{kind}_split") for kind in ("training", "validation", "fewshot")}
    others = (others | {(config.get("fewshot_config") or {}).get("split")}) - {asked, None}
    documents = Dataset.from_list([row for _, row in read_records(path, "task.path")])
    examples = documents.select([])
    if fewshot_path:
        examples = Dataset.from_list([row for _, row in read_records(fewshot_path, "task.fewshot_path")])
        if not others:
            raise ValueError(
                f"task.fewshot_path={fewshot_path}: {name} does not take its examples from another "
                "split; expected null; drop the option"
            )
    splits = dict.fromkeys(others, examples) | {asked: documents}
    return {"custom_dataset": lambda **_: splits}
