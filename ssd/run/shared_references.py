"""The reference's responses that a run shares with other runs of the same results folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ssd.config.plan import Plan
from ssd.measure.timing import Known, Question
from ssd.results.records import Response
from ssd.results.reference_cache import references_of
from ssd.run.decode_phase import Found
from ssd.tasks.prompts import sha256_of_ids


class SharedReferences:
    """Reads them for untimed runs only: a timed run decodes reference and decoder in pairs.

    A run with runtime.confidences does not read them either, because responses are stored without confidences.
    """

    def __init__(self, plan: Plan, circumstances: Mapping[str, Any]) -> None:
        self._plan = plan
        self._reads = not (plan.runtime.timing or plan.runtime.confidences)
        self._stores = references_of(plan, circumstances)

    def known(self, group: Sequence[Question]) -> list[Known]:
        """Return the responses to each question that need not be decoded again, by side."""
        stores = self._stores.items() if self._reads else ()
        found = [{side: store.find(*self._key(question)) for side, store in stores} for question in group]
        return [{side: timed for side, timed in sides.items() if timed is not None} for sides in found]

    def missing(self, group: Sequence[Question]) -> set[tuple[str, str, int]]:
        """Return the keys of references that must be decoded for these questions, and that other runs may need."""
        if not self._reads:
            return set()
        keys = [self._key(question) for question in group]
        return {(str(store.path), *key) for store in self._stores.values() for key in keys if not store.has(*key)}

    def add(self, found: Found) -> Response:
        """Store the references among the decoded sides; return the response, marked if one differs from the stored."""
        response = found.response
        drifted = [
            store.settle(*self._key(found.question), response.sides[side])
            for side, store in self._stores.items()
            if side in found.decoded
        ]
        return replace(response, reference_drift=any(drifted))

    def _key(self, question: Question) -> tuple[str, int]:
        return sha256_of_ids(question.prompt), self._plan.settings.seed + question.repeat
