"""Directed decoding maps in reports: from stored confidences to the figure and the table of pairs."""

import json
from pathlib import Path

import numpy as np

from ssd.metrics.decoding_map import decoding_map
from ssd.report.decoding_maps import maps_of
from ssd.report.figures import decoding_maps
from ssd.report.results import load
from ssd.report.tables import attribution
from tests.report.lines import GEN_LENGTH
from tests.report.synthetic import write_run


def stored(folder: Path, index: int, side: str) -> np.ndarray:
    """The map of what a trace file holds."""
    events = json.loads((folder / "traces" / f"{index:06d}-0.json").read_text())[side]
    steps = [step for event in events for step in event["decided"]]
    return decoding_map(np.array(steps, dtype=float))


def test_maps_are_those_of_the_stored_confidences_and_survive_the_frames(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "runs", prompts=2, traces=True)
    results = load(tmp_path / "runs")
    results.to_parquet(tmp_path / "frames")
    for found in (maps_of(results), maps_of(load(tmp_path / "frames"))):
        assert set(found) == {(folder.name, "reference"), (folder.name, "decoder")}
        for (_, side), maps in found.items():
            for (index, _), cells in maps.items():
                assert cells.shape == (GEN_LENGTH, GEN_LENGTH)
                assert np.array_equal(cells, stored(folder, index, side))
                assert cells.any()


def test_the_figure_shows_the_first_prompt_of_the_reference_and_of_each_decoder(tmp_path: Path) -> None:
    folders = [write_run(tmp_path, name, prompts=2, traces=True) for name in ("stepwise", "ssd", "fast_dllm")]
    write_run(tmp_path, "psd", prompts=2)
    figure = decoding_maps.draw(load(tmp_path), 2)
    assert figure is not None
    titles = [panel.get_title(loc="left").replace("\n", " ").split(":")[0] for panel in figure.axes]
    assert titles == ["stepwise decoding", "ssd", "fast_dllm"]
    shown = [np.array(panel.images[0].get_array()) for panel in figure.axes]
    expected = [stored(folders[0], 0, "reference"), *(stored(folder, 0, "decoder") for folder in folders[1:])]
    assert all(np.array_equal(*pair) for pair in zip(shown, expected, strict=True))
    image = figure.axes[0].images[0]
    colours = {value: tuple(image.cmap(image.norm(value))) for value in decoding_maps.COLOURS}
    assert len(set(colours.values())) == len(colours), "each value has its own colour"


def test_the_table_has_the_pairs_that_differ_in_one_thing(tmp_path: Path) -> None:
    for decoder, dtype in (("stepwise", "float32"), ("ssd", "float32"), ("stepwise", "bfloat16")):
        write_run(tmp_path, decoder, prompts=6, traces=True, runtime={"dtype": dtype})
    write_run(tmp_path, "fast_dllm", prompts=6, runtime={"dtype": "float32"})
    table = attribution.table(load(tmp_path))
    assert table is not None
    found = {(row["first"], row["second"]): row["both"] for _, row in table.frame.iterrows()}
    assert {frozenset(pair) for pair in found} == {frozenset({"stepwise", "ssd"}), frozenset({"float32", "bfloat16"})}
    assert {both for pair, both in found.items() if "ssd" in pair} == {"llada_tiny, tiny_math, float32"}
    assert table.frame["auc"].between(0, 1).all()
    assert (table.frame["prompts"] == 6).all()


def test_equal_runs_have_equal_maps_and_too_few_prompts_no_row(tmp_path: Path) -> None:
    first, second = (write_run(tmp_path, name, prompts=4, traces=True) for name in ("stepwise", "ssd"))
    for file in sorted((first / "traces").iterdir()):
        (second / "traces" / file.name).write_bytes(file.read_bytes())
    table = attribution.table(load(tmp_path))
    assert table is not None
    ((equal, auc),) = table.frame[["equal_maps", "auc"]].to_numpy()
    assert (equal, auc) == (1.0, 0.5)
    (first / "traces" / "000000-0.json").unlink()
    assert attribution.table(load(tmp_path)) is None
