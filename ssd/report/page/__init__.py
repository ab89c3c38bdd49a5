"""The report as one self-contained page: figures inside, no script, no network."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from ssd.report.figures.entry import Drawn
from ssd.report.labels import shown_options, value_text
from ssd.report.results import Results
from ssd.report.tables.table import Table

OPTIONS = ("config.generation.", "config.decoder.", "config.runtime.dtype", "config.runtime.numerics")
MISSING = ("None", "nan")
FIRST = ("main",)
"""Tables before the figures."""


def page(results: Results, figures: Sequence[Drawn], tables: Sequence[Table]) -> str:
    """Return the page's HTML."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("ssd.report.page", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["data_uri"] = data_uri
    return environment.get_template("index.html.jinja").render(
        figures=figures,
        first=[table for table in tables if table.name in FIRST],
        others=[table for table in tables if table.name not in FIRST],
        facts=facts(results),
        settings=shared_options(results.done),
    )


def facts(results: Results) -> Mapping[str, str]:
    """Return the content of the report in numbers and names."""
    runs, done = results.runs, results.done
    states = {name: count for name, count in runs["status"].value_counts().items() if name != "done"}
    return {
        "runs": ", ".join([f"{len(done)} finished", *(f"{count} {name}" for name, count in states.items())]),
        "samples": f"{len(results.samples)}",
        "models": ", ".join(sorted(done["model"].unique())),
        "tasks": ", ".join(sorted(done["task"].unique())),
        "decoders": ", ".join(sorted(done["decoder"].unique())),
    }


def shared_options(done: pd.DataFrame) -> str:
    """Return the options of generation, decoder and numbers that all these runs share, as the command line has them."""
    names = [name for name in shown_options(done, OPTIONS) if done[name].map(str).nunique() == 1]
    values = {_word(name, done): done[name].iloc[0] for name in names}
    return ", ".join(f"{word}={value_text(value)}" for word, value in values.items() if str(value) not in MISSING)


def _word(name: str, done: pd.DataFrame) -> str:
    """Return an option's name on the command line. A slash chooses a file of a group, as in `decoder/commit`."""
    word = name.removeprefix("config.")
    return word.replace(".", "/") if f"{name}._target_" in done else word


def data_uri(file: Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(file.read_bytes()).decode()}"
