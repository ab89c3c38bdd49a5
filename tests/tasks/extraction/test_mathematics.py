r"""Golden samples of MATH's extraction version 3: a change here is a new version."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest

from ssd.tasks.extraction.comparison import Comparison
from ssd.tasks.extraction.mathematics import extract_answer, same_answer
from ssd.tasks.extraction.notation import normal
from tests.effort import some
from tests.tasks.extraction.wrappers import WRAPPERS

EXTRACTED: list[tuple[str, str | None]] = [
    # boxed
    (r"So $x = \boxed{5}$.", "5"),
    (r"First \boxed{3}. No: \boxed{4}, of 9.", "4"),
    (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
    (r"\boxed{\sqrt{\frac{1}{1+\sqrt{2}}}} in all", r"\sqrt{\frac{1}{1+\sqrt{2}}}"),
    (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
    (r"\boxed {7}", "7"),
    (r"\fbox{7}", "7"),
    (r"\boxed{\boxed{7}}", "7"),
    (r"\boxed{\text{Evelyn}} has 3.", r"\text{Evelyn}"),
    (r"\boxed{\begin{pmatrix} 1 \\ 2 \end{pmatrix}}", r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}"),
    (r"\boxed{ 5 } and \boxed{}", "5"),
    (r"\boxed{5} and then \boxed{\frac{1}{2", "5"),
    (r"The answer is 3, so \boxed{4}.", "4"),
    ("\\boxed{4}<|eot_id|>\\boxed{5}", "4"),
    (r"} \boxed{4} }", "4"),
    # stated
    ("The answer is 42.", "42"),
    ("The final answer is $\\frac{3}{4}$. I hope it is correct.", r"\frac{3}{4}"),
    ("**Answer:** 3.5", "3.5"),
    ("**Final Answer**: $x + 1$ of 9", "x + 1"),
    ("Answer:\n\\[\n12\n\\]\nas 2 shows", "12"),
    ("The answer is \\(2\\pi\\), about 6.28", r"2\pi"),
    ("The answer is **Evelyn**.\nShe won 3 times.", "Evelyn"),
    ("The answer is 5 because 2 + 3 = 5.", "5"),
    ("The answer is 1 or 2.", "1 or 2"),
    (r"Answer: 11,\! 111 in 3", r"11,\! 111"),
    ("The answer is 3. No, the answer is 4. That is 5.", "4"),
    ("Answer: the answer is 8", "8"),
    ("The answer is 18, since 2 * 9 = 18.", "18"),
    ("The answer is 18, in total.", "18"),
    ("The answer is therefore 18.", "18"),
    ("The answer is 18 (eighteen).", "18"),
    ("The answer is 18, i.e. 2 times 9.", "18"),
    ("The answer is 18 \u2014 two times nine.", "18"),
    ("The answer is 18 - that is all.", "18"),
    ("The answer is (2, 9), which is a point.", "(2, 9)"),
    ("The answer is (2, 9], by step 1.", "(2, 9]"),
    ("The answer is 2, 9, 18 in this order.", "2, 9, 18"),
    ("The answer is 18x - 9, by step 1.", "18x - 9"),
    ("The answer is 2 sin x.", "2 sin x"),
    ("The answer is x = 2 or x = 9.", "x = 2 or x = 9"),
    (
        "The answer is\n\\begin{pmatrix} 1 \\\\\n2 \\end{pmatrix}, as 3 shows.",
        "\\begin{pmatrix} 1 \\\\\n2 \\end{pmatrix}",
    ),
    ("The answer is the number 18.", "18"),
    ("The answer is a square.", "square"),
    ("The answer is odd because 9 is odd.", "odd"),
    ("The answer is (C) because 9 is odd.", "(C)"),
    ("The answer is less than 9.", "less than 9"),
    ("The answer is not 9 but 18.", "not 9"),
    ("The answer is 18 million.", "18 million"),
    ("The answer is 9 because $x = 3$.", "9"),
    ("The answer is $2$ and $-9$.", "2, -9"),
    ("The answer is $2$, $9$ or $18$.", "2, 9, 18"),
    ("The answer to 2 * 9 is 18.", "18"),
    ("Answer: its side has length $9$.", "9"),
    ("## Answer\n\n18\n\nThat took 2 steps.", "18"),
    ("It is <answer>18</answer> of 20", "18"),
    ("It is 9.\n#### 18\n", "18"),
    ("#### Step 1\nIt is $18$.", "18"),
    # formula
    ("We get $3$ and then $x = 4$ in 9 steps.", "x = 4"),
    ("Hence $$\\frac{1}{3}$$ of 9.", r"\frac{1}{3}"),
    ("Hence \\[ 7 \\] of 9.", "7"),
    ("Hence \\( 7 \\) of 9.", "7"),
    # number
    ("It costs $5 and then $6 more.", "6"),
    ("That makes 1,234 in all", "1,234"),
    ("That is 3/4 of it", "3/4"),
    ("That is -2.5 or so", "-2.5"),
    ("That is 40% of it", "40%"),
    ("20-2", "2"),
    # nothing to find
    ("", None),
    ("I cannot tell.", None),
    (r"\boxed{}", None),
    ("<|endoftext|>\\boxed{5}", None),
]

SAME: list[tuple[str, str]] = [
    (r"\dfrac{1}{2}", r"\frac{1}{2}"),
    (r"\tfrac12", r"\frac{1}{2}"),
    ("1/2", r"\frac{1}{2}"),
    ("0.5", r"\frac{1}{2}"),
    (".5", "0.5"),
    ("-3/4", r"-\frac{3}{4}"),
    (r"3\frac{1}{2}", r"\frac{7}{2}"),
    ("0.333333", r"\frac{1}{3}"),
    (r"50\%", "50"),
    ("50%", r"50\%"),
    ("90", r"90^\circ"),
    ("90°", r"90^{\circ}"),
    (r"90 \text{ degrees}", r"90^\circ"),
    ("10080", r"10,\!080"),
    ("10,080", r"10,\!080"),
    ("x=5", "5"),
    ("5", "x=5"),
    (r"x = \frac{10}{2} = 5", "5"),
    ("f(x)=x^2+1", "x^2+1"),
    ("007", "7"),
    ("5.0", "5"),
    ("11.", "11"),
    (r"\$18.9", "18.90"),
    (r"864 \text{ inches}^2", r"864 \mbox{ inches}^2"),
    ("864", r"864 \mbox{ inches}^2"),
    ("5.4 cents", r"5.4 \text{ cents}"),
    (r"\text{12 square units}", "12"),
    ("Evelyn", r"\text{Evelyn}"),
    (r"\mathrm{evelyn}", r"\text{Evelyn}"),
    ("C", r"\text{(C)}"),
    (r"\left(3,4\right]", "(3,4]"),
    ("x > 2", r"(2,\infty)"),
    (r"-2 \le x \le 7", r"x \in [-2,7]"),
    (r"\{1,2\}", r"\{2,1\}"),
    ("2, 1", "1,2"),
    (r"x=1 \text{ or } x=2", "1,2"),
    (r"\begin{bmatrix}1&2\\3&4\end{bmatrix}", r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}"),
    (r"\begin{pmatrix} -1/3 \\ 2/3 \end{pmatrix}", r"\begin{pmatrix} -\frac{1}{3} \\ \frac{2}{3} \end{pmatrix}"),
    ("(x+1)(x-1)", "x^2-1"),
    ("2x+3=y", "y = 2x + 3"),
    (r"\sqrt{12}", r"2\sqrt{3}"),
    ("2i+3", "3+2i"),
    (r"(3, \pi/2)", r"\left( 3, \frac{\pi}{2} \right)"),
    ("2516_{8}", "2516_8"),
    ("2516", "2516_8"),
    (r"1\,234", "1234"),
    ("1234", r"1\,234"),
    (r"10\,080", "10080"),
    (r"10\ 080", r"10,\!080"),
    (r"1\;234\;567", "1,234,567"),
    ("1~234.5", "1234.5"),
    (r"\$1\,234", "1234"),
    (r"x = 1\,234", "1234"),
    (r"(1\,000, 2)", "(1000, 2)"),
    ("5 dollars", "5"),
    ("5", "5 dollars"),
    ("5 percent", r"5\%"),
    (r"\frac{1}{2} dollars", r"\frac{1}{2}"),
    (r"5~\text{cm}", "5"),
    (r"5\,\text{cm}", "5"),
    ("5 cm^2", "5"),
    ("5 square units", "5"),
    ("5 students", "5"),
    (r"4343_{\text{six}}", "4343_6"),
    ("4343_{six}", "4343_6"),
    ("1 + 2 = 3", "3"),
    # typography
    (r"\boldsymbol{\frac{1}{2}}", r"\frac{1}{2}"),
    (r"\frac{\mathbf{1}}{2}", r"\frac{1}{2}"),
    (r"\mathbf{3} + \mathbf{2i}", "3+2i"),
    (r"\color{red} 5", "5"),
    (r"\textbf{q - p}", "q - p"),
    (r"\textbf{(C)}\ 5", r"\text{(C)}"),
    # introductions
    (r"\text{Area} = 5", "5"),
    (r"\text{The area is } 5 \text{ cm}^2", "5"),
    (r"\text{So the answer is Evelyn.}", r"\text{Evelyn}"),
    # small values
    ("0.0333333", r"\frac{1}{30}"),
    (r"4.31 \times 10^{-5}", ".0000431"),
    (r"2^{-70}", r"\frac{1}{2^{70}}"),
    (r"0.1\pi", r"\frac{\pi}{10}"),
    # quantities
    (r"7^{\text{th}}", "7"),
    (r"7^\text{th}", "7"),
    ("21st", "21"),
    ("x = 1,234", "1234"),
    ("n=1,234.5", "1234.5"),
    (r"5 \text{ million}", "5000000"),
    ("1.5 million", "1500000"),
    # bases
    ("(2516)_8", "2516_8"),
    (r"2516_{\text{base } 8}", "2516_8"),
    (r"2516 \text{ (base 8)}", "2516_8"),
    ("2516 base 8", "2516_8"),
    ("2516\u2088", "2516_8"),
    # Unicode
    ("2\u221a3", r"2\sqrt{3}"),
    ("\u221a(12)", r"2\sqrt{3}"),
    ("\u221b8", "2"),
    ("x\u00b2 + 1", "x^2+1"),
    ("x\u207b\u00b9", "x^{-1}"),
    ("\u22125", "-5"),
    ("\u20135", "-5"),
    ("2\u00bd", "2.5"),
    ("1\u202f234", "1234"),
    ("2\u03c0", r"2\pi"),
    ("1 \u00b1 \u221a2", r"1 \pm \sqrt{2}"),
    ("(\u2212\u221e, 2) \u222a (3, \u221e)", r"(-\infty, 2) \cup (3, \infty)"),
    ("x \u2265 2", r"[2, \infty)"),
]
DIFFERENT: list[tuple[str, str]] = [
    ("5", "6"),
    ("0.33", r"\frac{1}{3}"),
    ("2.5", "25"),
    (r"\text{Eve}", r"\text{Evelyn}"),
    ("nylevE", r"\text{Evelyn}"),
    (r"\text{(B)}", r"\text{(C)}"),
    ("(3,4)", "(3,4]"),
    ("(1,2)", "(2,1)"),
    ("1,2,3", "1,2"),
    (r"\begin{pmatrix}1&2\\3&5\end{pmatrix}", r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}"),
    ("x^2+1", "x^2-1"),
    ("q - p", "p - q"),
    ("y=5", "x=5"),
    ("2516_7", "2516_8"),
    ("6.28", r"2\pi"),
    (r"1\,234", "1235"),
    (r"1,\,234", "1234"),
    (r"3\,14", "314"),
    ("6 dollars", "5"),
    (r"6~\text{cm}", "5"),
    (r"4343_{\text{six}}", "4343_7"),
    (r"4343_{\text{six}}", "4344_6"),
    # A target that is an equation is more than its right side; an answer may lead to its right side.
    ("1", "2x + z = 1"),
    ("0", r"\text{even}"),
    # small values
    ("0.3333", r"\frac{1}{3}"),
    ("0.0000433", ".0000431"),
    (r"4.3 \times 10^{-5}", ".0000431"),
    (r"\frac{1}{2^{69}}", r"\frac{1}{2^{70}}"),
    (r"\frac{x}{2^{69}}", r"\frac{x}{2^{70}}"),
    ("(0.0000433, 1)", "(.0000431, 1)"),
    (r"\{0.0000433\}", r"\{.0000431\}"),
    (r"\begin{pmatrix} 0.0000433 \\ 1 \end{pmatrix}", r"\begin{pmatrix} 0.0000431 \\ 1 \end{pmatrix}"),
    ("0.0000001", "0"),
    ("1000000.5", "1000000"),
    # what is left out must not make a wrong answer right
    (r"\textbf{p + q}", "p - q"),
    (r"\textbf{q - p}", "p - q"),
    (r"\textbf{(B)}", r"\text{(C)}"),
    (r"\mathbf{(3,4)}", "(3,4]"),
    (r"\text{The answer is } 6", "5"),
    (r"7^{\text{th}}", "8"),
    ("7^2", "7"),
    ("(2516)_7", "2516_8"),
    ("2516\u2087", "2516_8"),
    (r"5 \text{ million}", "5"),
    ("30%", "0.3"),
    ("2\u00bd", "10.5"),
    ("\u20135", "5"),
    ("x > 2", r"[2, \infty)"),
    (r"\{1,2\}", r"\{1,3\}"),
    ("1,234", "1,235"),
    ("9" * 1001, "9" * 1000 + "8"),
    ("", "5"),
    ("}{", "5"),
    ("\ud800", "5"),
]


# Answers of every kind that MATH has. MATH-500 is not part of the project.
ANSWERS = [
    *("18", "-3", "1.75", ".0000431", r"10,\!080", r"\$18.50", r"45^\circ", r"7 \mbox{ cm}^2", r"\frac56"),
    *(r"-\sqrt{2}", r"3\pi", "2 - 7i", r"1 \pm \sqrt{7}", "q - p", "3x^2 + 1", "(x+1)(x-4)", r"\tan x", "y = 4x - 1"),
    *("(2, -9)", r"\left( 2, \frac{\pi}{3} \right]", "4, 5, 9", r"(-\infty, 1) \cup (2, 9]", r"x \in [-1,8]", "312_4"),
    *(r"\{1, \sqrt{2}\}", r"\begin{pmatrix} 1/2 \\ -3 \end{pmatrix}", "312_{4}", r"\text{Evan}", r"\text{(D)}"),
]


@pytest.fixture(scope="module")
def rows(data_file: Callable[[str], Path]) -> list[dict[str, str]]:
    return [json.loads(line) for line in data_file("math500/test.jsonl").read_text("utf-8").splitlines()]


@pytest.mark.parametrize(("text", "answer"), EXTRACTED)
def test_extracted(text: str, answer: str | None) -> None:
    assert extract_answer(text) == answer


@pytest.mark.parametrize(("answer", "target"), SAME)
def test_same(answer: str, target: str) -> None:
    assert same_answer(answer, target)


@pytest.mark.parametrize(("answer", "target"), DIFFERENT)
def test_different(answer: str, target: str) -> None:
    assert not same_answer(answer, target)


def test_every_reference_solution_gives_its_answer(rows: list[dict[str, str]]) -> None:
    assert len(rows) == 500
    assert [extract_answer(row["solution"]) for row in rows] == [row["answer"] for row in rows]
    assert all(same_answer(row["answer"], row["answer"]) for row in rows)


@pytest.mark.slow
def test_every_target_has_a_value_that_equals_itself(rows: list[dict[str, str]]) -> None:
    comparison = Comparison(limit_s=60)
    different = [row["answer"] for row in some(rows, 5) if not comparison.same(row["answer"], row["answer"])]
    comparison.close()
    assert different == []


def test_every_stated_answer_is_found(rows: list[dict[str, str]]) -> None:
    for row in rows:
        assert extract_answer(f"Since 1 + 1 = 2, the final answer is ${row['answer']}$. I hope so.") == row["answer"]


@pytest.mark.parametrize("wrapper", WRAPPERS.values(), ids=WRAPPERS)
def test_answers_are_right_in_every_form(wrapper: str) -> None:
    wrong = [answer for answer in ANSWERS if not is_right(wrapper, answer)]
    assert wrong == []


@pytest.mark.parametrize("wrapper", WRAPPERS.values(), ids=WRAPPERS)
def test_every_target_is_right_in_every_form(wrapper: str, rows: list[dict[str, str]]) -> None:
    assert [row["answer"] for row in rows if not is_right(wrapper, row["answer"])] == []


def test_only_signs_and_separators_join_targets(rows: list[dict[str, str]]) -> None:
    answers = sorted({row["answer"] for row in rows})
    joined = [(left, right) for left, right in pairwise(sorted(answers, key=normal)) if normal(left) == normal(right)]
    assert len(answers) == 301
    assert {normal(left) for left, _ in joined} == {"10080", "120", "30", "36", "90"}


def test_no_target_is_another(rows: list[dict[str, str]]) -> None:
    answers = sorted({row["answer"] for row in rows}, key=lambda answer: answer[::-1])
    pairs = [*pairwise(answers)][::10]
    assert [pair for pair in pairs if same_answer(*pair)] == []


def is_right(wrapper: str, answer: str) -> bool:
    found = extract_answer(wrapper.replace("@", answer))
    return found is not None and same_answer(found, answer)


def test_threads_may_compare(capfd: pytest.CaptureFixture[str]) -> None:
    with ThreadPoolExecutor(4) as pool:
        verdicts = list(pool.map(same_answer, ["1/2", "3", "x=4", "6"] * 5, [r"\frac{1}{2}", "2", "4", "2 * 3"] * 5))
    assert verdicts == [True, False, True, True] * 5
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_a_comparison_that_takes_too_long_ends_and_the_next_one_works() -> None:
    comparison = Comparison(limit_s=1)
    start_s = time.monotonic()
    assert not comparison.same("2^{2^{30}}", "5")
    assert time.monotonic() - start_s < 120
    comparison.limit_s = 20  # the first comparison of a process takes longest
    assert comparison.same("1/2", "0.5")
    comparison.close()
    assert comparison.same("1/2", "0.5")
    comparison.close()
