"""samples.jsonl as an Arrow table: the reader's fast path, 10^5 lines in seconds; bad lines are left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import json as arrow_json

from ssd.results.reader import ANEW, REPAIR
from ssd.results.schema import SCHEMA

KINDS = ("refresh", "decode", "verify", "verifier")
SIDES = ("reference", "decoder", "uncached")
CHUNK_BYTES = 32 * 2**20
WHOLE, NUMBER, TEXT, YES_NO = pa.int64(), pa.float64(), pa.string(), pa.bool_()
SIDE = pa.struct(
    {
        **dict.fromkeys(("latency_s", "time_s", "model_s", "verifier_s", "predicted_s"), NUMBER),
        **dict.fromkeys(("correct", "correct_strict"), YES_NO),
        "reason": TEXT,
        "forwards": NUMBER,
        "nfe": pa.struct(dict.fromkeys(KINDS, WHOLE)),
        **dict.fromkeys(("node_evaluations", "token_rows", "tokens_total", "tokens_useful", "tokens_cut"), WHOLE),
        "blocks_filled_by_refresh": WHOLE,
        **dict.fromkeys(("acceptance_lengths", "drafted_by_depth", "accepted_by_depth"), pa.list_(WHOLE)),
        "order_correlation": pa.struct(dict.fromkeys(("within_blocks", "response"), NUMBER)),
    }
)
DIVERGENCE = pa.struct({"class": TEXT, "token_margin": NUMBER, "position_margin": NUMBER})
LINE = pa.schema(
    {
        **dict.fromkeys(("schema", "index", "repeat", "turn", "seed"), WHOLE),
        **dict.fromkeys(("identical", "same_commit_order", "reference_drift"), YES_NO),
        "oracle_nfe": WHOLE,
        "peak_memory_mib": NUMBER,
        **dict.fromkeys(("first_divergence", "order_divergence"), DIVERGENCE),
        **dict.fromkeys(SIDES, SIDE),
    }
)
NEEDED = ("schema", "index", "repeat", "identical", "reference", "decoder")
"""Fields without which a line is no sample."""
IDENTIFIERS = {"prompt_sha256": TEXT, "target": TEXT}
TEXTS = {"text": TEXT, "answer": TEXT, "response_ids": pa.list_(WHOLE)}


@dataclass
class Lines:
    """Tables of samples, and the line numbers of what is no sample."""

    tables: list[pa.Table] = field(default_factory=list)
    bad: list[int] = field(default_factory=list)
    other_schema: list[int] = field(default_factory=list)
    torn: bool = False
    unreadable: str | None = None

    @property
    def notes(self) -> list[str]:
        """What was left out of the file, in words."""
        notes = []
        if self.bad:
            shown = ", ".join(map(str, self.bad[:3])) + (", ..." if len(self.bad) > 3 else "")
            words = "line is no sample" if len(self.bad) == 1 else "lines are no samples"
            notes.append(f"{len(self.bad)} {words} ({shown}); {REPAIR}")
        if self.other_schema:
            notes.append(f"{len(self.other_schema)} lines are not of schema {SCHEMA}; {ANEW}")
        notes += ["its last line is torn"] if self.torn else []
        notes += [f"cannot be read ({self.unreadable})"] if self.unreadable else []
        return [f"samples.jsonl: {note}" for note in notes]


def line_schema(texts: bool) -> pa.Schema:
    """Return the fields that are read; texts and ids only if asked for, because they are most of a line."""
    if not texts:
        return LINE
    side = pa.struct([*SIDE, *pa.struct(TEXTS)])
    kept = [pa.field(part.name, side) if part.name in SIDES else part for part in LINE]
    return pa.schema([*kept, *pa.struct(IDENTIFIERS)])


def read_lines(file: Path, texts: bool = False) -> Lines:
    """Return the samples of a file that may be missing, torn, corrupt in places, or still growing."""
    lines, schema, number = Lines(), line_schema(texts), 1
    if not file.exists():
        return lines
    try:
        for chunk, whole in _chunks(file):
            lines.torn |= not whole
            if whole:
                _parse(chunk, number, schema, lines)
                number += chunk.count(b"\n")
    except OSError as error:
        lines.unreadable = error.strerror
    return lines


def flat(table: pa.Table) -> pa.Table:
    """Return lines with one column per metric: `decoder.nfe` is the sum, `decoder.nfe.verify` one kind of forward."""
    table = table.drop_columns(["schema"]).flatten().flatten()
    table = table.rename_columns([name.replace("first_divergence.", "divergence.") for name in table.column_names])
    for side in SIDES:
        kinds = [pc.fill_null(table[f"{side}.nfe.{kind}"], 0) for kind in KINDS if kind != "verifier"]
        known = pc.is_valid(table[f"{side}.node_evaluations"])
        total = pc.if_else(known, pc.add(pc.add(kinds[0], kinds[1]), kinds[2]), pa.scalar(None, WHOLE))
        table = table.append_column(f"{side}.nfe", total)
    if table.num_rows and table["uncached.node_evaluations"].null_count == table.num_rows:
        table = table.drop_columns([name for name in table.column_names if name.startswith("uncached.")])
    return table


def _chunks(file: Path) -> Iterator[tuple[bytes, bool]]:
    """Return pieces of a file, and whether each ends with a whole line: only the last one may not."""
    with file.open("rb") as stream:
        rest = b""
        while read := stream.read(CHUNK_BYTES):
            whole, newline, rest = (rest + read).rpartition(b"\n")
            if newline:
                yield whole + newline, True
    if rest:
        yield rest, False


def _parse(chunk: bytes, number: int, schema: pa.Schema, lines: Lines) -> None:
    """Add the samples of these lines, the first of which has this number; a bad line is found by halving."""
    options = arrow_json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
    blocks = arrow_json.ReadOptions(block_size=len(chunk) + 1)
    objects = chunk.startswith(b"{") + chunk.count(b"\n{")
    try:  # a line `null` crashes pyarrow 26
        whole = objects == chunk.count(b"\n")
        table = arrow_json.read_json(pa.BufferReader(chunk), blocks, options) if whole else None
    except pa.ArrowInvalid:
        table = None
    if table is not None and not any(table[name].null_count for name in NEEDED):
        of_schema = pc.equal(table["schema"], SCHEMA)
        places = pc.indices_nonzero(pc.invert(of_schema)).to_pylist()
        lines.other_schema += [number + place for place in places]
        lines.tables.append(table.filter(of_schema) if places else table)
        return
    rows = [row + b"\n" for row in chunk.split(b"\n")[:-1]]
    if len(rows) == 1:
        lines.bad.append(number)
        return
    half = len(rows) // 2
    _parse(b"".join(rows[:half]), number, schema, lines)
    _parse(b"".join(rows[half:]), number + half, schema, lines)
