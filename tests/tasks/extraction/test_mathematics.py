r"""Golden samples of MATH's extraction version 2: a change here is a new version."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ssd.tasks.extraction.comparison import Comparison
from ssd.tasks.extraction.mathematics import extract_answer, same_answer

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
    (r"Answer: 11,\! 111 in 3", r"11,\! 111 in 3"),
    ("The answer is 3. No, the answer is 4. That is 5.", "4"),
    ("Answer: the answer is 8", "8"),
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
    ("", "5"),
    ("}{", "5"),
    ("\ud800", "5"),
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
    different = [row["answer"] for row in rows if not comparison.same(row["answer"], row["answer"])]
    comparison.close()
    assert different == []


def test_every_stated_answer_is_found(rows: list[dict[str, str]]) -> None:
    for row in rows:
        assert extract_answer(f"Since 1 + 1 = 2, the final answer is ${row['answer']}$. I hope so.") == row["answer"]


def test_threads_may_compare(capfd: pytest.CaptureFixture[str]) -> None:
    with ThreadPoolExecutor(4) as pool:
        verdicts = list(pool.map(same_answer, ["1/2", "3", "x=4", "6"] * 5, [r"\frac{1}{2}", "2", "4", "2 * 3"] * 5))
    assert verdicts == [True, False, True, True] * 5
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_a_comparison_that_takes_too_long_ends_and_the_next_one_works() -> None:
    comparison = Comparison(limit_s=8)
    start_s = time.monotonic()
    assert not comparison.same("2^{2^{30}}", "5")
    assert time.monotonic() - start_s < 120
    assert comparison.same("1/2", "0.5")
    comparison.close()
    assert comparison.same("1/2", "0.5")
    comparison.close()
