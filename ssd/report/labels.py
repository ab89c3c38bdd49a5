"""Labels of runs: the decoder with the options in which runs differ. The grid's table and the reports use it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ssd.report.runs import REPLACED_BY_COMMIT, options_of
from ssd.results.schema import MUST_MATCH

NEVER_TOLD = ("_target_", ".name", ".lossless", ".fingerprints", "sha256")
"""Ends of the names of options that no label shows."""
GIVEN = (("model", "path"), ("runtime", "device"), ("runtime", "threads"))
"""Options that a grid varies on purpose; circumstances change with them."""


class Run(NamedTuple):
    """A run's resolved configuration, its summary, and the circumstances of its measurement."""

    config: Mapping[str, Any]
    summary: Mapping[str, Any]
    environment: Mapping[str, Any] = {}


def labels(runs: Sequence[Run]) -> Iterator[str]:
    """Return each run's decoder, with the options in which it differs from others of that decoder, model and task."""
    options = [options_of(run.config) for run in runs]
    for run, own, names in zip(runs, options, _varying(runs, options), strict=True):
        yield " ".join((run.summary["decoder"], *words(own, names)))


def options_that_vary(runs: Sequence[Run]) -> dict[str, list[Any]]:
    """Return the options of all labels, by the last part of their name if that is unique, with each run's value.

    The value is "" for a run without the option.
    """
    options = [options_of(run.config) for run in runs]
    names = list(dict.fromkeys(name for varying in _varying(runs, options) for name in varying))
    last = Counter(name.rpartition(".")[2] for name in names)
    heads = {name: name.rpartition(".")[2] if last[name.rpartition(".")[2]] == 1 else name for name in names}
    return {heads[name]: [own.get(name, "") for own in options] for name in names}


def _varying(runs: Sequence[Run], options: Sequence[Mapping[str, Any]]) -> Iterator[list[str]]:
    """Return for each run the options in which it differs from others of its decoder, model and task."""
    kinds = [tuple(run.summary[group] for group in ("decoder", "model", "task")) for run in runs]
    names = {
        kind: differing([own for other, own in zip(kinds, options, strict=True) if other == kind])
        for kind in set(kinds)
    }
    return (names[kind] for kind in kinds)


def differing(options: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names of the options in which these runs differ.

    Options of a group within a group, as `decoder.commit`, count only where runs with one choice differ in them.
    """
    names = dict.fromkeys(name for own in options for name in own if not name.endswith(NEVER_TOLD))
    return [name for name in names if _differs(name, options)]


def _differs(name: str, options: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether runs with one choice of the option's group differ in the option.

    A decoder's own threshold counts only among runs with one commit rule, which may replace it.
    """
    group, _, key = name.rpartition(".")
    if key in REPLACED_BY_COMMIT and group.endswith("decoder"):
        group += ".commit"
    pairs = {(str(own.get(group)), str(own.get(name))) for own in options}
    return len(pairs) > len({choice for choice, _ in pairs})


def shown_options(columns: Iterable[Any], groups: str | tuple[str, ...] = "config.decoder.") -> list[str]:
    """Return the columns of options that labels may show and that begin with one of these words."""
    return [name for name in map(str, columns) if name.startswith(groups) and not name.endswith(NEVER_TOLD)]


def is_number(value: Any) -> bool:
    """Return whether an option's value is a number: a depth may also be `auto`, or missing."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value


def words(own: Mapping[str, Any], names: Iterable[str]) -> Iterator[str]:
    """Return `name=value` for each of these options that is not None."""
    for name in names:
        if own.get(name) is not None:
            yield f"{name.removeprefix('decoder.')}={value_text(own[name])}"


def value_text(value: Any) -> str:
    """Return an option's value as the command line spells it."""
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def circumstances(runs: Sequence[Run]) -> list[str]:
    """Return how each run's circumstances differ from those of most runs of its model, device and threads.

    `name: most → its own`, libraries by their names; "" without a difference.
    """
    kinds = [[str(run.config.get(group, {}).get(key)) for group, key in GIVEN] for run in runs]
    found = []
    for run, kind in zip(runs, kinds, strict=True):
        peers = [_plain(peer.environment) for peer, other in zip(runs, kinds, strict=True) if other == kind]
        usual = dict(Counter(tuple(peer.items()) for peer in peers).most_common(1)[0][0])
        own = _plain(run.environment)
        changed = [name for name in {**usual, **own} if usual.get(name) != own.get(name)]
        found.append("; ".join(f"{name}: {usual.get(name)} → {own.get(name)}" for name in changed))
    return found


def _plain(environment: Mapping[str, Any]) -> dict[str, str]:
    """Return the circumstances that forbid mixing samples, without nesting; commits are abbreviated."""
    values = {name: environment.get(name) for name in MUST_MATCH if name in environment and name != "libraries"}
    values |= environment.get("libraries", {})
    return {name: str(value)[:10] if name in ("commit", "changes") else str(value) for name, value in values.items()}
