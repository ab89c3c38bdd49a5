"""The main table: decoder × model × task."""

from __future__ import annotations

from ssd.report.groups import marks_of, notes_of
from ssd.report.results import Results
from ssd.report.tables.table import Column, Table, make_table
from ssd.report.tables.words import (
    ALGORITHMIC,
    BEST,
    acceptance,
    best_count,
    best_speedup,
    change,
    decoder_marks,
    figure,
    percent,
    speedup,
    words,
)  # fmt: skip
from ssd.report.titles import REFERENCE

GUARDS = ("claims_lossless", *ALGORITHMIC, "compared_with", "environment.commit")
"""What the printed table says by marks and titles; the CSV, in columns of its own."""
DECODER = Column("decoder", ("run_id", "label", *GUARDS), words("label"), marks=decoder_marks)
PROMPTS = Column("n", ("prompts",), figure("prompts", 0))
SPEEDUP = Column("speedup [95 %]", ("speedup.ratio", "speedup.low", "speedup.high"), speedup, best_speedup)
NFE = Column("NFE", ("nfe.decoder", "nfe.ratio"), figure("nfe.decoder", 1), best_count("nfe.decoder"))
ACCEPTANCE = Column("acceptance length", ("acceptance_length.mean",), acceptance)
COLUMNS = (
    DECODER,
    PROMPTS,
    SPEEDUP,
    Column("tokens/s", ("tokens_per_s.decoder", "tokens_per_s.reference"), figure("tokens_per_s.decoder", 1)),
    NFE,
    Column(
        "TPF",
        ("tokens_per_forward.decoder",),
        figure("tokens_per_forward.decoder"),
        best_count("tokens_per_forward.decoder", least=False),
    ),
    ACCEPTANCE,
    Column("identity (%)", ("identity.rate",), percent("identity.rate")),
    Column("accuracy (%)", ("accuracy.decoder", "accuracy.reference"), percent("accuracy.decoder")),
    Column(
        "change of accuracy (pp) [95 %]",
        ("accuracy_difference.difference", "accuracy_difference.low", "accuracy_difference.high"),
        change,
    ),
)


def table(results: Results) -> Table | None:
    found = results.groups
    return make_table(
        "main",
        "Decoders",
        "Speedup: seconds of the reference over seconds of the decoder, with a paired interval over prompts. NFE: "
        "forwards of the model per response; TPF: response tokens per forward; n: prompts. Identity: share of "
        "responses equal to the reference's; change of accuracy: in percentage points, against the reference, which is "
        f"{REFERENCE} unless a group's title names another. {BEST}",
        COLUMNS,
        [(group.title, group.rows) for group in found],
        marks_of(found),
        notes_of(found),
    )
