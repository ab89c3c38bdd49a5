"""Golden samples of answer extraction version 3: a change here is a new version."""

import time

import pytest

from ssd.tasks.extraction.numbers import extract_number, same_number, strict_number, target_number, whole_number

GOLDEN: list[tuple[str, str | None]] = [
    # strict
    ("She makes 9 * 2 = 18.\n#### 18", "18"),
    ("####18", "18"),
    ("#### 72.0", "72"),
    ("#### 2,125", "2125"),
    ("#### 1,450,000.50", "1450000.5"),
    ("#### $1,234.", "1234"),
    (r"#### \$40", "40"),
    ("#### $ 40 for 3", "40"),
    ("#### -10", "-10"),
    ("#### -$10", "-10"),
    ("#### $-10", "-10"),
    ("#### \u221210", "-10"),
    ("#### 25%", "25"),
    ("#### .5", "0.5"),
    ("#### **18**", "18"),
    ("#### 18 dollars, of 40", "18"),
    ("#### 18\n\nThe next 3 days bring 7 more.", "18"),
    ("#### 18\n#### 19", "18"),
    ("#### 1. Find the cost\n2 + 3 = 5\n#### 2) Add 4\n#### 9", "9"),
    ("#### 12. Next\nIt is 7", "7"),
    ("##### 12\nso 5", "5"),
    ("#### 007", "7"),
    ("#### -0.0", "0"),
    ("#### 1{,}234", "1234"),
    (r"#### 1,\!234 of 5", "1234"),
    (r"#### \$1\,234\,567", "1234567"),
    ("It is 7.\n#### 3 + 4 = 7", "7"),
    ("#### 3*5=<<3*5=15>>15", "15"),
    ("#### 45/3 = 15", "15"),
    ("#### $3 + $4 = $7", "7"),
    ("#### 7 = 3 + 4", "7"),
    ("#### 7 = 1 week", "7"),
    ("#### 3 + 4 = 7 = 14 / 2", "7"),
    ("#### **3 + 4 = 7**", "7"),
    ("#### 3 - 10 = -7 degrees", "-7"),
    ("#### 7, because 3 + 4 = 7", "7"),
    ("#### 4e3", "4000"),
    ("#### 1.5E-2", "0.015"),
    # boxed
    (r"So \boxed{18} in 7 days", "18"),
    (r"\boxed{3}, no: \boxed{4} of 9", "4"),
    (r"\boxed{x = 5 + 13 = 18} of 40", "18"),
    (r"\boxed{18 \text{ dollars}} for 3", "18"),
    (r"\boxed{\$1{,}234} for 3", "1234"),
    (r"\boxed{70,\!000\%} in 2 years", "70000"),
    (r"\boxed{3 \text{ and } 4} or 5", "5"),
    (r"\boxed{1\,234} for 3", "1234"),
    (r"\boxed{1\ 234} for 3", "1234"),
    (r"\boxed{1~234} for 3", "1234"),
    (r"\boxed{1\;234\,567.5} for 3", "1234567.5"),
    (r"\boxed{1{\,}234} for 3", "1234"),
    (r"\boxed{18\,\text{km}} for 3", "18"),
    (r"\boxed{18 \text{ km}^2} for 3", "18"),
    (r"\boxed{\text{18 km}^{2}} for 3", "18"),
    (r"\boxed{18 cm^3} for 3", "18"),
    (r"\boxed{18} but #### 19", "19"),
    (r"\boxed{} after 6", "6"),
    # flexible
    ("The answer is 18.", "18"),
    ("The answer is $18.50.", "18.5"),
    ("The answer is 1,234,567 stars", "1234567"),
    ("She has 3, 4 and 5", "5"),
    ("the choices are 1,2,3", "3"),
    ("12,3456", "3456"),
    ("20-2", "2"),
    ("20 - 2 = 18", "18"),
    ("3-5 days", "5"),
    ("it fell to -5 degrees", "-5"),
    ("(-5)", "-5"),
    ("x=-5", "-5"),
    ("COVID-19", "19"),
    ("#### eighteen\nthat is 18", "18"),
    ("2*9=<<2*9=18>>18", "18"),
    ("3/4", "4"),
    ("3.14.15", "15"),
    ("It covers 18 km^2.", "18"),
    ("that is 2^10", "10"),
    (r"that is 12\,34", "34"),
    ("so 18<|endoftext|>4 more", "18"),
    ("so 18<|im_end|>\n#### 19", "18"),
    ("so 18<|eot_id|>4", "18"),
    ("so 18</s>4", "18"),
    # nothing to find
    ("", None),
    ("#### ", None),
    ("eighteen", None),
    (r"\boxed{x}", None),
    ("$,.%-", None),
    ("\u0661\u0662", None),
]


@pytest.mark.parametrize(("text", "number"), GOLDEN)
def test_golden(text: str, number: str | None) -> None:
    found = extract_number(text)
    assert (found and found.number) == number


@pytest.mark.parametrize(
    ("text", "rule"),
    [("#### 18", "strict"), (r"\boxed{18}", "boxed"), ("18", "flexible"), (r"\boxed{} 18", "flexible")],
)
def test_the_deciding_rule_is_told(text: str, rule: str) -> None:
    assert extract_number(text) == ("18", rule)


@pytest.mark.parametrize(
    "text",
    [
        *("18", r"\boxed{18}", "### 18", "#### eighteen", "#### 2. Then add"),
        *("#### 5/6", "#### 8:15", "#### 3 + 4", "#### 2 5/6", "#### 3-4", "#### 2^5", "#### 3 * 5 = x"),
    ],
)
def test_strict_reads_nothing_else(text: str) -> None:
    assert strict_number(text) is None


WHOLE = {
    "18": "18",
    " **1,234.50** ": "1234.5",
    "-$18": "-18",
    "\u221218": "-18",
    "18%": "18",
    "18 \u20ac": "18",
    "18.": "18",
    r"1\,234": "1234",
    "2e4": "20000",
    "18 dollars": "18",
    "18 (dollars)": "18",
    "18cm": "18",
    "18 m": "18",
    "18 km^2": "18",
    "18 km/h": "18",
    "18 years old.": "18",
    "25°": "25",
}
NOT_WHOLE = [
    *(
        "",
        "eighteen",
        "$",
        "5/6",
        "1/2 cup",
        "2 5/6",
        "8:15",
        "3-4",
        "3 - 4",
        "3 + 4 = 7",
        "2^5",
        "2 * 5",
        "2 x 5",
        "2 x",
    ),
    *("1.2.3", "12,34", "18, 19", "18 or 19", "18 dollars and 5 cents", "18 to 20", "5e", "0x1F", "18k", "18 million"),
    *("2 x", "2 dozen", "3 and a half", "2pi", "18!", "18+", "2\u221a3", "3 apples, 4 pears"),
]


@pytest.mark.parametrize(("text", "number"), WHOLE.items())
def test_a_whole_number_may_have_a_unit(text: str, number: str) -> None:
    assert whole_number(text) == number
    assert target_number(f"#### 1. Think\n#### {text}") == number


@pytest.mark.parametrize("text", NOT_WHOLE)
def test_a_text_that_is_more_than_a_number_is_not_cut_short(text: str) -> None:
    assert whole_number(text) is None
    assert target_number(f"9 = 9\n#### {text}") is None


def test_long_numbers_stay_exact() -> None:
    digits = "9" * 5000
    assert extract_number(f"#### {digits}") == (digits, "strict")
    assert not same_number(digits, digits[:-1] + "8")


@pytest.mark.parametrize(("left", "right"), [("72.0", "72"), ("0.10", ".1"), ("-0", "0"), ("1E+2", "100")])
def test_equal_values_are_the_same_number(left: str, right: str) -> None:
    assert same_number(left, right)


@pytest.mark.parametrize("piece", ["1,", "1,111", "-", "#### ", "\\boxed{", "\\boxed{{1}", "{1}", "1\\,", "x^"])
def test_no_text_makes_extraction_hang(piece: str) -> None:
    start_s = time.monotonic()
    extract_number(f"\\boxed{{{piece * 50_000}")
    assert time.monotonic() - start_s < 5
