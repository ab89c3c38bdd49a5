"""Responses per second by batch size: what a decoder gains from a batch, and what it keeps of its speedup."""

from __future__ import annotations

import pandas as pd

from ssd.report.groups import groups, marks_of, notes_of
from ssd.report.results import Results
from ssd.report.run_labels import labelled
from ssd.report.tables.main import SPEEDUP
from ssd.report.tables.table import Column, Table, make_table
from ssd.report.tables.words import decoder_marks, figure, percent, words

BATCH = "config.runtime.batch_size"
RESPONSES, REFERENCE, GAIN, NODES = "responses_per_s", "responses_per_s_reference", "to_smallest_batch", "nodes"


def table(results: Results) -> Table | None:
    """Return the table; None without two timed runs that differ in their batch size."""
    timed = [group.having(lambda run: run.is_timed) for group in groups(results.runs, (BATCH,))]
    found = [group for group in timed if group.rows[BATCH].nunique() > 1]
    return make_table(
        "throughput",
        "Throughput",
        "Responses per s: finished responses over seconds, of one model on one device. To the smallest batch: their "
        "ratio to those of the same decoder with the smallest batch here. Speedup: against the reference in batches "
        "of the same size. Responses per forward: the mean number that share a forward; nodes: states per response "
        "and forward.",
        (
            Column("decoder", ("run_id", "label"), words("label"), marks=decoder_marks),
            Column("batch", (BATCH,), figure(BATCH, 0)),
            Column("responses/s", (RESPONSES,), figure(RESPONSES, 3)),
            Column("reference", (REFERENCE,), figure(REFERENCE, 3)),
            Column("to the smallest batch", (GAIN,), figure(GAIN)),
            Column(SPEEDUP.head, SPEEDUP.keys, SPEEDUP.text),
            Column(
                "responses per forward", ("responses_per_forward.decoder",), figure("responses_per_forward.decoder")
            ),
            Column("nodes", (NODES,), figure(NODES, 1)),
            Column("identity (%)", ("identity.rate",), percent("identity.rate")),
        ),
        [(group.title, _by_decoder(group.rows)) for group in found],
        marks_of(found),
        notes_of(found),
    )


def _by_decoder(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows decoder by decoder, each with ascending batches and its rates."""
    together = pd.concat([labelled(own) for _, own in rows.groupby(BATCH)])
    together = pd.concat([own.sort_values(BATCH) for _, own in together.groupby("label", sort=False)])
    rates = {
        name: together[f"tokens_per_s.{side}"] / together[f"tokens_total.{side}"]
        for name, side in ((RESPONSES, "decoder"), (REFERENCE, "reference"))
    }
    together = together.assign(**rates, **{NODES: together["node_evaluations.decoder"] / together["nfe.decoder"]})
    return together.assign(**{GAIN: together[RESPONSES] / together.groupby("label")[RESPONSES].transform("first")})
