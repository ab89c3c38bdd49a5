"""Run any generate_until task of lm-eval, with lm-eval's documents, prompts, examples, stop words, filters and metrics.

A response is correct if the task's first metric is 1 under its first filter.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import islice
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ssd.tasks.lm_eval_catalogue import find, whole
from ssd.tasks.lm_eval_data import load, one_line
from ssd.tasks.task import Document, Task, Verdict

if TYPE_CHECKING:
    from lm_eval.api.task import ConfigurableTask


class LmEvalTask(Task[Document]):
    """One task of lm-eval. A document's `question` is the whole prompt: plain text, or chat messages as JSON."""

    version: ClassVar[int] = 2

    def __init__(
        self,
        name: str,
        path: str | None = None,
        fewshot_path: str | None = None,
        include_path: str | None = None,
        num_fewshot: int | None = None,
        chat: bool = True,
    ) -> None:
        self._config = find(name, include_path)
        own = self._config.get("num_fewshot")
        super().__init__(name, (own or 0) if num_fewshot is None else num_fewshot, chat)
        if own == 0 and self.num_fewshot:
            raise ValueError(
                f"task.num_fewshot is {num_fewshot}; expected 0, because lm-eval gives {name} no examples; pass "
                "task.num_fewshot=null"
            )
        if fewshot_path is not None and (path is None or whole(path) == whole(fewshot_path)):
            raise ValueError(
                f"task.fewshot_path={fewshot_path} beside task.path={path}; expected two files; pass the documents' as "
                "task.path and the examples' as task.fewshot_path"
            )
        self.path, self.fewshot_path, self.include_path = path, fewshot_path, include_path

    def documents(self, limit: int | None) -> list[Document]:
        from jinja2 import UndefinedError
        from lm_eval.defaults import DEFAULT_OTHER_SEED

        try:
            # lm-eval draws new examples for each document. This seed gives the same examples as a run of lm-eval.
            self._task.set_fewshot_seed(DEFAULT_OTHER_SEED)
            rows = islice(enumerate(self._task.task_docs), limit)
            documents = [self._document(index, row) for index, row in rows]
        except (KeyError, UndefinedError) as error:
            raise ValueError(
                f"task.path={self.path} lacks fields of lm-eval's {self.name} ({one_line(error)}); expected rows "
                f"with the fields of {self._config.get('dataset_path')} on the Hub; pass such a file"
            ) from error
        self.verdict(documents[0].target, documents[0])  # refuses unsuitable metrics before decoding
        return documents

    def fewshot(self, count: int) -> list[Document]:
        """Return no documents, because each document's prompt contains its own examples."""
        return []

    def user_turn(self, document: Document) -> str:
        return self.turns(document, [])[-1]["content"]

    def raw_prompt(self, document: Document, examples: Sequence[Document]) -> str:
        return document.question

    def turns(self, document: Document, examples: Sequence[Document]) -> list[dict[str, str]]:
        messages = json.loads(document.question)
        return messages[:-1] if messages[-1]["role"] == "assistant" else messages

    def response_prefix(self, document: Document) -> str:
        last = json.loads(document.question)[-1]
        return last["content"] if last["role"] == "assistant" else ""

    def verdict(self, text: str, document: Document) -> Verdict:
        task, row = self._task, self._task.task_docs[document.index]
        request = task.construct_requests(row, document.question, metadata=(self.name, document.index, 1))
        request.resps = [cut_at(text, stop_words(request.args[1]))]
        task._instances = [request]  # the only input of apply_filters
        task.apply_filters()
        name, answer = next(iter(request.filtered_resps.items()))
        metric, value = next(iter(task.process_results(row, [answer]).items()))
        if not isinstance(value, Real | np.bool_) or task.higher_is_better().get(metric) is False:
            raise ValueError(
                f"task.name={self.name}: its first metric, {metric}, does not score single responses; expected a "
                "metric that is 1 for a correct response, such as exact_match; name another task"
            )
        return Verdict(str(answer), bool(value == 1), f"{metric} is {float(value):g} under {name}")

    @cached_property
    def _task(self) -> ConfigurableTask:
        """The loaded task, with this number of few-shot examples and these local files."""
        task = load(self.name, self._config, self.include_path, self.num_fewshot, self.path, self.fewshot_path)
        if self.num_fewshot > len(task.sampler.df):
            raise ValueError(
                f"task.num_fewshot is {self.num_fewshot}; {self.name} has {len(task.sampler.df)} examples here; ask "
                "for fewer, or pass task.fewshot_path=FILE with more"
            )
        return task

    def _document(self, index: int, row: Mapping[str, Any]) -> Document:
        task = self._task
        prompt = task.fewshot_context(
            row,
            num_fewshot=self.num_fewshot,
            apply_chat_template=self.chat,
            fewshot_as_multiturn=self.chat,
            chat_template=_as_json if self.chat else None,
            gen_prefix=task.doc_to_prefix(row),
        )
        target = str(task.doc_to_target(row))
        return Document(index=index, question=prompt, target=target, solution=target)


def stop_words(generation_kwargs: Mapping[str, Any]) -> list[str]:
    """Return the stop words: a response ends before the first of them."""
    until = generation_kwargs.get("until") or []
    return [until] if isinstance(until, str) else list(until)


def cut_at(text: str, stops: Sequence[str]) -> str:
    """Return the text before the first stop word."""
    for stop in filter(None, stops):
        text = text.partition(stop)[0]
    return text


def _as_json(messages: Sequence[Mapping[str, str]], add_generation_prompt: bool) -> str:
    """Return chat messages as JSON; the tokenizer renders them later. A last turn of the assistant is a prefix."""
    return json.dumps(messages, ensure_ascii=False)
