"""One-line functions of the tiny language, in the shapes of HumanEval and MBPP."""

import random
from collections.abc import Sequence
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
    words, expression = generator.choice(
        (
            (f"{parameter} plus {first}", f"{parameter} + {first}"),
            (f"{parameter} minus {first}", f"{parameter} - {first}"),
            (f"{parameter} times {first}", f"{parameter} * {first}"),
            (f"{parameter} times {first} plus {second}", f"{parameter} * {first} + {second}"),
            (f"{parameter} times {first} minus {second}", f"{parameter} * {first} - {second}"),
            (f"True if {parameter} is more than {first}", f"{parameter} > {first}"),
            (f"True if {parameter} is less than {first}", f"{parameter} < {first}"),
            (f"True if {first} divides {parameter}", f"{parameter} % {first} == 0"),
        )
    )
    arguments = (first, *generator.sample([number for number in range(13) if number != first], 2))
    return _problem(name, (parameter,), words, expression, [(argument,) for argument in arguments])


def _function_of_two(generator: random.Random, name: str) -> FunctionProblem:
    number = generator.randint(2, 9)
    words, expression = generator.choice(
        (
            (f"a plus b plus {number}", f"a + b + {number}"),
            (f"a plus b minus {number}", f"a + b - {number}"),
            (f"a times b plus {number}", f"a * b + {number}"),
            (f"the larger of a and b plus {number}", f"max(a, b) + {number}"),
            (f"the smaller of a and b plus {number}", f"min(a, b) + {number}"),
        )
    )
    low, middle, high = sorted(generator.sample(range(1, 13), 3))
    return _problem(name, ("a", "b"), words, expression, [(low, high), (high, low), (middle, middle)])


def _function_of_list(generator: random.Random, name: str) -> FunctionProblem:
    number = generator.randint(2, 9)
    parameter = generator.choice(("items", "numbers"))
    quantity, function = generator.choice((("sum", "sum"), ("length", "len"), ("largest", "max"), ("smallest", "min")))
    lists = [(generator.sample(range(1, 13), length),) for length in (2, 3, 4)]
    words = f"the {quantity} of {parameter} plus {number}"
    return _problem(name, (parameter,), words, f"{function}({parameter}) + {number}", lists)


def _problem(
    name: str, parameters: tuple[str, ...], words: str, expression: str, arguments: Sequence[tuple[object, ...]]
) -> FunctionProblem:
    """Return the problem. arguments: those of each example, whose value is the expression's."""
    examples = tuple(
        (", ".join(map(str, given)), str(eval(expression, dict(zip(parameters, given, strict=True)))))
        for given in arguments
    )
    return FunctionProblem(name, parameters, words, expression, examples)
