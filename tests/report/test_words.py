"""How figures are written, and which of them is the best."""

import pandas as pd
import pytest

from ssd.report.tables.words import best_count, best_speedup, change, interval, number


def contestants(**columns: list) -> pd.DataFrame:
    rows = len(next(iter(columns.values())))
    basis = {"claims_lossless": [True] * rows, "identity.algorithmic": [0.0] * rows, "mark": [""] * rows}
    basis |= {"prompts": [20] * rows, "turns": [20] * rows}
    return pd.DataFrame({name.replace("__", "."): values for name, values in {**basis, **columns}.items()})


@pytest.mark.parametrize(
    ("low", "high", "lossless", "best"),
    [
        ([1.9, 1.1], [2.1, 1.3], [True, True], [True, False]),
        ([1.2, 1.1], [2.8, 1.9], [True, True], [False, False]),  # the intervals overlap
        ([1.9, 1.1], [2.1, 1.3], [False, True], [False, False]),  # nobody to be better than
        ([1.9, None], [2.1, None], [True, True], [True, False]),  # one pair of times: the ratio itself counts
        ([None, 1.1], [None, 1.3], [True, True], [False, False]),
    ],
)
def test_the_fastest_is_bold_only_if_intervals_say_so(low: list, high: list, lossless: list, best: list) -> None:
    rows = contestants(speedup__ratio=[2.0, 1.2], speedup__low=low, speedup__high=high, claims_lossless=lossless)
    assert list(best_speedup(rows)) == best


def test_the_least_slow_is_no_best() -> None:
    figures = {"speedup__ratio": [0.99, 0.7], "speedup__low": [0.98, 0.6], "speedup__high": [1.02, 0.8]}
    assert not best_speedup(contestants(**figures)).any()


@pytest.mark.parametrize("few", ["prompts", "turns"])
def test_intervals_of_few_prompts_make_nothing_bold(few: str) -> None:
    figures = {"speedup__ratio": [2.0, 1.2], "speedup__low": [1.9, 1.1], "speedup__high": [2.1, 1.3]}
    assert best_speedup(contestants(**figures)).any()
    assert not best_speedup(contestants(**figures, **{few: [19, 19]})).any()


def test_exact_counts() -> None:
    least = best_count("nfe.decoder")
    assert list(least(contestants(nfe__decoder=[9.0, 8.0, 8.0]))) == [False, True, True]
    assert not least(contestants(nfe__decoder=[8.0, 8.0])).any()
    for cases in ("identity.algorithmic", "identity.other_order.algorithmic"):
        broken = contestants(nfe__decoder=[7.0, 8.0, 9.0], **{cases: [1.0, 0.0, float("nan")]})
        assert list(least(broken)) == [False, True, False]
    assert list(best_count("nfe.decoder", least=False)(contestants(nfe__decoder=[9.0, 8.0]))) == [True, False]


def test_words() -> None:
    assert [number(value) for value in (1.005, -0.001, -2.5, None, float("nan"))] == ["1.00", "0.00", "−2.50", "–", "–"]
    assert interval(1.5, 1.25, 1.75) == "1.50 [1.25, 1.75]"
    assert interval(1.5, None, None) == "1.50"
    keys = ("difference", "low", "high")
    row = pd.Series(dict(zip((f"accuracy_difference.{key}" for key in keys), (0.02, -0.01, 0.05), strict=True)))
    assert change(row) == "+2.0 [−1.0, +5.0]"
