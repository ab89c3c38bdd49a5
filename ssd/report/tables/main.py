"""The main table: decoder × model × task."""

from __future__ import annotations

from ssd.report.results import Results
from ssd.report.tables.table import Column, Table, group_table
from ssd.report.tables.words import (
    ALGORITHMIC,
    BEST,
    CHANGE,
    acceptance,
    best_count,
    best_speedup,
    change,
    decoder_marks,
    figure,
    number_column,
    percent,
    percent_column,
    speedup,
    words,
)  # fmt: skip
from ssd.report.titles import REFERENCE

GUARDS = ("claims_lossless", *ALGORITHMIC, "compared_with", "environment.commit")
"""What the printed table says by marks and titles; the CSV, in columns of its own."""
DECODER = Column("decoder", ("run_id", "label", *GUARDS), words("label"), marks=decoder_marks)
PROMPTS = number_column("n", "prompts", 0)
SPEEDUP = Column("speedup [95 %]", ("speedup.ratio", "speedup.low", "speedup.high"), speedup, best_speedup)
NFE = Column("NFE", ("nfe.decoder", "nfe.ratio"), figure("nfe.decoder", 1), best_count("nfe.decoder"))
ACCEPTANCE = Column("acceptance length", ("acceptance_length.mean",), acceptance)
TPF = "tokens_per_forward.decoder"
COLUMNS = (
    DECODER,
    PROMPTS,
    SPEEDUP,
    Column("tokens/s", ("tokens_per_s.decoder", "tokens_per_s.reference"), figure("tokens_per_s.decoder", 1)),
    NFE,
    number_column("TPF", TPF, best=best_count(TPF, least=False)),
    ACCEPTANCE,
    percent_column("identity (%)", "identity.rate"),
    Column("accuracy (%)", ("accuracy.decoder", "accuracy.reference"), percent("accuracy.decoder")),
    Column("change of accuracy (pp) [95 %]", CHANGE, change),
)


def table(results: Results) -> Table | None:
    return group_table(
        "main",
        "Decoders",
        "Speedup: seconds of the reference over seconds of the decoder, with a paired interval over prompts. NFE: "
        "forwards of the model per response; TPF: response tokens per forward; n: prompts. Identity: share of "
        "responses equal to the reference's; change of accuracy: in percentage points, against the reference, which is "
        f"{REFERENCE} unless a group's title names another. {BEST}",
        COLUMNS,
        results.groups,
    )
