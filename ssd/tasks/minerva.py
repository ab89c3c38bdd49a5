"""Minerva's four examples for MATH, as lm-eval has them."""

from __future__ import annotations

import ast
from importlib.util import find_spec
from pathlib import Path


def examples_of_lm_eval() -> list[dict[str, str]]:
    """Return the examples with their fields `problem` and `solution`.

    They are read off the source of lm-eval's function. Its module cannot be imported: it insists on an antlr 4.11 that
    it does not need for them, and Hydra on antlr 4.9.
    """
    installed = find_spec("lm_eval")
    if installed is None or installed.origin is None:
        raise ValueError(
            "task.num_fewshot is above 0; MATH's examples are read from lm-eval, which is not installed; pip install "
            '"ssd-benchmark[tasks]", or pass task.num_fewshot=0'
        )
    file = Path(installed.origin).with_name("tasks") / "minerva_math" / "utils.py"
    try:
        functions = {node.name: node for node in ast.parse(file.read_bytes()).body if isinstance(node, ast.FunctionDef)}
        (statement,) = functions["list_fewshot_samples"].body
        return ast.literal_eval(statement.value)
    except (OSError, SyntaxError, KeyError, ValueError) as error:
        raise ValueError(
            f"task.num_fewshot is above 0; {file} does not hold MATH's examples where lm-eval 0.4.13 has them "
            f"({error}); pip install lm-eval==0.4.13, or pass task.num_fewshot=0"
        ) from error
