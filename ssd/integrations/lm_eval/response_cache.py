"""lm-eval's cache of responses (--use_cache), kept apart by configuration."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from sqlitedict import SqliteDict

from ssd.results.run_id import run_id
from ssd.results.schema import MUST_MATCH


class ResponseCache(SqliteDict):
    """A file of responses. Its keys contain the configuration, so no other configuration finds a response."""

    configuration: str
    given: int
    """The number of responses that were read, and therefore not decoded."""

    def __contains__(self, key: str) -> bool:
        return bool(super().__contains__(self.configuration + key))

    def __getitem__(self, key: str) -> Any:
        response = super().__getitem__(self.configuration + key)
        self.given += 1
        return response

    def __setitem__(self, key: str, response: Any) -> None:
        super().__setitem__(self.configuration + key, response)


def keep_apart(responses: SqliteDict, config: Mapping[str, Any], environment: Mapping[str, Any]) -> ResponseCache:
    """Turn lm-eval's open file into a cache of this configuration and environment, and return it."""
    # lm-eval holds this very object and has no place for another one, so its class changes.
    responses.__class__ = ResponseCache
    circumstances = json.dumps([environment[name] for name in MUST_MATCH], sort_keys=True)
    responses.configuration = f"{run_id(config)} {hashlib.sha256(circumstances.encode()).hexdigest()} "
    responses.given = 0
    return responses
