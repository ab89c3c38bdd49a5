"""One-line functions of the tiny language, in the shapes of HumanEval and MBPP."""

import random
from collections.abc import Callable
from dataclasses import dataclass

FUNCTION_NAMES: tuple[str, ...] = ("solve", "change", "compute", "apply", "update", "find", "work", "run")
PARAMETERS: tuple[str, ...] = ("x", "n", "value")


@dataclass(frozen=True)
class FunctionProblem:
    """A one-line function: its description in words, its expression and example results."""

    name: str
    parameters: tuple[str, ...]
    words: str
    expression: str
    examples: tuple[tuple[str, str], ...]
    """Pairs of arguments and expected value."""

    @property
    def content(self) -> str:
        return f"{self.name}({', '.join(self.parameters)}): {self.words}"

    @property
    def signature(self) -> str:
        return f"def {self.name}({', '.join(self.parameters)}):"

    @property
    def code(self) -> str:
        return f"{self.signature}\n    return {self.expression}"

    def humaneval(self, index: int) -> dict[str, str]:
        """Return the problem with the fields of a HumanEval document."""
        asserts = "".join(f"    assert candidate({arguments}) == {value}\n" for arguments, value in self.examples)
        return {
            "task_id": f"tiny_humaneval/{index}",
            "prompt": f'{self.signature}\n    """Return {self.words}."""\n',
            "entry_point": self.name,
            "canonical_solution": f"    return {self.expression}\n",
            "test": f"def check(candidate):\n{asserts}",
        }

    def mbpp(self, index: int) -> dict[str, str | list[str]]:
        """Return the problem with the fields of an MBPP document."""
        return {
            "task_id": f"tiny_mbpp/{index}",
            "text": f"Write a function {self.name} of {' and '.join(self.parameters)} that returns {self.words}.",
            "code": self.code,
            "test_list": [f"assert {self.name}({arguments}) == {value}" for arguments, value in self.examples],
        }


def function_problem(generator: random.Random) -> FunctionProblem:
    """Draw a one-line function."""
    name = generator.choice(FUNCTION_NAMES)
    shape = generator.random()
    if shape < 0.6:
        return _function_of_number(generator, name)
    return _function_of_two(generator, name) if shape < 0.8 else _function_of_list(generator, name)


def _function_of_number(generator: random.Random, name: str) -> FunctionProblem:
    parameter = generator.choice(PARAMETERS)
    first, second = generator.randint(2, 9), generator.randint(1, 9)
    shapes: tuple[tuple[str, str, Callable[[int], int | bool]], ...] = (
        (f"{parameter} plus {first}", f"{parameter} + {first}", lambda number: number + first),
        (f"{parameter} minus {first}", f"{parameter} - {first}", lambda number: number - first),
        (f"{parameter} times {first}", f"{parameter} * {first}", lambda number: number * first),
        (
            f"{parameter} times {first} plus {second}",
            f"{parameter} * {first} + {second}",
            lambda number: number * first + second,
        ),
        (
            f"{parameter} times {first} minus {second}",
            f"{parameter} * {first} - {second}",
            lambda number: number * first - second,
        ),
        (f"True if {parameter} is more than {first}", f"{parameter} > {first}", lambda number: number > first),
        (f"True if {parameter} is less than {first}", f"{parameter} < {first}", lambda number: number < first),
        (
            f"True if {first} divides {parameter}",
            f"{parameter} % {first} == 0",
            lambda number: number % first == 0,
        ),
    )
    words, expression, function = generator.choice(shapes)
    arguments = (first, *generator.sample([number for number in range(13) if number != first], 2))
    return FunctionProblem(name, (parameter,), words, expression, tuple((str(a), str(function(a))) for a in arguments))


def _function_of_two(generator: random.Random, name: str) -> FunctionProblem:
    number = generator.randint(2, 9)
    shapes: tuple[tuple[str, str, Callable[[int, int], int]], ...] = (
        (f"a plus b plus {number}", f"a + b + {number}", lambda a, b: a + b + number),
        (f"a plus b minus {number}", f"a + b - {number}", lambda a, b: a + b - number),
        (f"a times b plus {number}", f"a * b + {number}", lambda a, b: a * b + number),
        (f"the larger of a and b plus {number}", f"max(a, b) + {number}", lambda a, b: max(a, b) + number),
        (f"the smaller of a and b plus {number}", f"min(a, b) + {number}", lambda a, b: min(a, b) + number),
    )
    words, expression, function = generator.choice(shapes)
    low, middle, high = sorted(generator.sample(range(1, 13), 3))
    pairs = ((low, high), (high, low), (middle, middle))
    examples = tuple((f"{a}, {b}", str(function(a, b))) for a, b in pairs)
    return FunctionProblem(name, ("a", "b"), words, expression, examples)


def _function_of_list(generator: random.Random, name: str) -> FunctionProblem:
    number = generator.randint(2, 9)
    parameter = generator.choice(("items", "numbers"))
    shapes: tuple[tuple[str, str, Callable[[list[int]], int]], ...] = (
        ("sum", f"sum({parameter}) + {number}", lambda items: sum(items) + number),
        ("length", f"len({parameter}) + {number}", lambda items: len(items) + number),
        ("largest", f"max({parameter}) + {number}", lambda items: max(items) + number),
        ("smallest", f"min({parameter}) + {number}", lambda items: min(items) + number),
    )
    quantity, expression, function = generator.choice(shapes)
    words = f"the {quantity} of {parameter} plus {number}"
    lists = [generator.sample(range(1, 13), length) for length in (2, 3, 4)]
    return FunctionProblem(
        name, (parameter,), words, expression, tuple((str(items), str(function(items))) for items in lists)
    )
