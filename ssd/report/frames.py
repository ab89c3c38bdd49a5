"""Arrow tables, pandas frames and Parquet files: each into the others, with lists as Python lists."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ssd.results.schema import SCHEMA

AS_JSON, SCHEMA_KEY = "as_json", "schema"


def frame_of(table: pa.Table) -> pd.DataFrame:
    """Return an Arrow table as a frame, in which a list column has Python lists, or None."""
    frame = table.to_pandas()
    for field in table.schema:
        if pa.types.is_list(field.type):
            lists = [None if values is None else values.tolist() for values in frame[field.name]]
            frame[field.name] = pd.Series(lists, dtype=object, index=frame.index)
    return frame.copy()  # in one piece


def frame_of_rows(rows: Sequence[Mapping[str, Any]], columns: Iterable[str], as_written: Sequence[str]) -> pd.DataFrame:
    """Return rows of unequal keys as a frame with at least these columns.

    Columns whose names begin with one of `as_written` keep the values' own types, and None for a missing value. In the
    others numbers become floats or integers, and NaN a missing value.
    """
    names = dict.fromkeys([*columns, *(name for row in rows for name in row)])
    series = {}
    for name in names:
        values = pd.Series([row.get(name) for row in rows], dtype=object)
        series[name] = values if name.startswith(tuple(as_written)) else values.infer_objects()
    return pd.DataFrame(series).copy()  # in one piece


def write_parquet(frame: pd.DataFrame, file: Path, as_json: bool = False, **metadata: Any) -> None:
    """Write a frame; as_json: columns of mixed objects as JSON texts; metadata: stored beside the columns."""
    objects = [str(name) for name in frame if as_json and pd.api.types.is_object_dtype(frame[name])]
    texts = {name: [json.dumps(value) for value in frame[name]] for name in objects}
    table = pa.Table.from_pandas(frame.assign(**texts), preserve_index=False)
    notes = {**metadata, AS_JSON: objects, SCHEMA_KEY: SCHEMA}
    kept = {**(table.schema.metadata or {}), **{name: json.dumps(value) for name, value in notes.items()}}
    pq.write_table(
        table.replace_schema_metadata(kept), file, compression="zstd", compression_level=9, write_statistics=False
    )


def read_parquet(file: Path, *metadata: str) -> tuple[pd.DataFrame, list[Any]]:
    """Return a frame of `write_parquet`, and its metadata of these names. Raises ValueError naming the file."""
    try:
        table = pq.read_table(file)
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{file}: cannot be read ({reason}); write the frames anew with --frames") from error
    frame, stored = frame_of(table), table.schema.metadata or {}
    schema = json.loads(stored.get(SCHEMA_KEY.encode(), b"null"))
    if schema != SCHEMA:
        raise ValueError(
            f"{file}: schema {schema}, this version reads schema {SCHEMA}; write the frames anew with --frames"
        )
    objects, *kept = (json.loads(stored.get(name.encode(), b"[]")) for name in (AS_JSON, *metadata))
    for name in objects:
        frame[name] = pd.Series([json.loads(text) for text in frame[name]], dtype=object)
    return frame.copy(), kept  # in one piece
