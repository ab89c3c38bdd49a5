"""The runs that figures and tables need, in words that several of them share."""

from __future__ import annotations

FINISHED = "a finished run"
TIMED = "a timed run (runtime.timing=true, runtime.numerics other than locked)"
TRACED = "a run with runtime.traces=true"
DRAFTING = "a run whose decoder drafts, such as decoder=ssd"
CONFIDENCES = "runtime.confidences=true runtime.traces=true runtime.timing=false"
PUBLISHED = "a run with a decoder, model, task and lengths that results/published has numbers of"
