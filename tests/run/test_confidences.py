"""A run with runtime.confidences: both sides' traces have them, whatever other runs have left; others have none."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ssd.config.plan import make_plan
from ssd.report.decoding_maps import maps_of
from ssd.report.results import load
from tests.runs import composed

KEPT = ("runtime.traces=true", "runtime.confidences=true", "runtime.timing=false", "generation.cache=none")


def traces(root: Path, summary: dict[str, Any]) -> list[dict[str, Any]]:
    return [json.loads(file.read_text()) for file in sorted((root / summary["run_id"] / "traces").iterdir())]


@pytest.mark.slow
def test_both_sides_keep_them_and_a_lossless_decoder_has_the_references_map(short_run, tmp_path: Path) -> None:
    short_run("llada", *KEPT, "decoder=ssd", "runtime.limit=2")
    second = short_run("llada", *KEPT, "decoder=freedave", "runtime.limit=2")
    assert second["identity"]["rate"] == 1.0
    plain = short_run("llada", *KEPT[:1], *KEPT[2:], "runtime.limit=2")
    assert not any("decided" in event for sides in traces(tmp_path, plain) for event in sides["decoder"])
    maps = maps_of(load(tmp_path))
    assert len(maps) == 4, "two sides of two runs, although the second could have read the first's reference"
    expected = maps[second["run_id"], "reference"]
    assert len(expected) == 2
    for found in maps.values():
        assert all(np.array_equal(found[place], expected[place]) for place in expected)


def test_a_decoder_with_a_loop_of_its_own_is_refused_before_anything_is_loaded() -> None:
    with pytest.raises(ValueError, match=r"^decoder=wino keeps no confidences .*; pass runtime\.confidences=false$"):
        make_plan(composed("decoder=wino", "model=llada_tiny", "task=tiny_math", *KEPT))
