"""A synthetic language small enough for a 2 M parameter model, in the shapes of GSM8K, HumanEval and MBPP.

The tiny checkpoints are trained on its train split and benchmarked on its test split. Every document is drawn by a
seeded generator; the split depends on the hash of what the document asks, never on the seed, so that no test question
can be met in training whatever seeds are used.
"""

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Split = Literal["train", "test"]
Document = dict[str, str | list[str]]

TASKS: tuple[str, ...] = ("tiny_math", "tiny_humaneval", "tiny_mbpp")

PEOPLE: tuple[tuple[str, str], ...] = (
    *((name, "He") for name in ("Tom", "Ben", "Sam", "Leo")),
    *((name, "She") for name in ("Mia", "Ana", "Eva", "Zoe")),
)
THINGS: tuple[str, ...] = ("apple", "pen", "book", "card", "coin", "egg", "cup", "toy")
BOXES: tuple[str, ...] = ("boxes", "bags", "rows")
GAINS: tuple[str, ...] = ("buys {amount} more", "finds {amount} more", "gets {amount} from {friend}")
LOSSES: tuple[str, ...] = ("gives {amount} to {friend}", "loses {amount}", "sells {amount}")
FUNCTION_NAMES: tuple[str, ...] = ("solve", "change", "compute", "apply", "update", "find", "work", "run")
PARAMETERS: tuple[str, ...] = ("x", "n", "value")

_TEST_SHARE = 6
"""One document in this many belongs to the test split."""

_DRAWS_PER_DOCUMENT = 2000
"""Draws after which the generator gives up looking for one more distinct document."""


@dataclass(frozen=True)
class WordProblem:
    """A word problem and its worked solution."""

    question: str
    lines: tuple[str, ...]
    result: int

    @property
    def content(self) -> str:
        return self.question

    def document(self, index: int) -> Document:
        """Return the problem with the fields of a GSM8K document."""
        return {"question": self.question, "answer": "\n".join((*self.lines, f"#### {self.result}"))}


@dataclass(frozen=True)
class FunctionProblem:
    """A one-line function: what it should return in words, the expression that does, and what that gives."""

    name: str
    parameters: tuple[str, ...]
    words: str
    expression: str
    examples: tuple[tuple[str, str], ...]
    """Pairs of an argument list and the value expected for it."""

    @property
    def content(self) -> str:
        return f"{self.name}({', '.join(self.parameters)}): {self.words}"

    @property
    def signature(self) -> str:
        return f"def {self.name}({', '.join(self.parameters)}):"

    @property
    def code(self) -> str:
        return f"{self.signature}\n    return {self.expression}"

    def humaneval(self, index: int) -> Document:
        """Return the problem with the fields of a HumanEval document."""
        asserts = "".join(f"    assert candidate({arguments}) == {value}\n" for arguments, value in self.examples)
        return {
            "task_id": f"tiny_humaneval/{index}",
            "prompt": f'{self.signature}\n    """Return {self.words}."""\n',
            "entry_point": self.name,
            "canonical_solution": f"    return {self.expression}\n",
            "test": f"def check(candidate):\n{asserts}",
        }

    def mbpp(self, index: int) -> Document:
        """Return the problem with the fields of an MBPP document."""
        return {
            "task_id": f"tiny_mbpp/{index}",
            "text": f"Write a function {self.name} of {' and '.join(self.parameters)} that returns {self.words}.",
            "code": self.code,
            "test_list": [f"assert {self.name}({arguments}) == {value}" for arguments, value in self.examples],
        }


def documents(task: str, split: Split, count: int, seed: int) -> list[Document]:
    """Return `count` documents of a task's split.

    The same seed gives the same documents, and a smaller count gives a prefix of a larger one. Test documents are
    distinct; training documents may repeat, for a language this small runs out of code problems.
    """
    if task not in TASKS:
        raise ValueError(f"no task {task!r} in the tiny language; it has {', '.join(TASKS)}")
    if split not in ("train", "test"):
        raise ValueError(f"no split {split!r} in the tiny language; it has train and test")
    if count < 0:
        raise ValueError(f"count must not be negative, got {count}")
    generator = random.Random(f"{task}/{split}/{seed}")
    found: list[Document] = []
    seen: set[str] = set()
    draws_left = _DRAWS_PER_DOCUMENT
    while len(found) < count:
        if draws_left == 0:
            raise ValueError(f"{task} has no {count} distinct {split} documents; {len(found)} were found")
        draws_left -= 1
        problem = word_problem(generator) if task == "tiny_math" else function_problem(generator)
        if _split_of(problem.content) != split or problem.content in seen:
            continue
        if split == "test":
            seen.add(problem.content)
        draws_left = _DRAWS_PER_DOCUMENT
        if isinstance(problem, WordProblem):
            found.append(problem.document(len(found)))
        elif task == "tiny_humaneval":
            found.append(problem.humaneval(len(found)))
        else:
            found.append(problem.mbpp(len(found)))
    return found


def user_message(task: str, document: Document) -> str:
    """Return what the user's turn holds for a document: the field that asks, unchanged."""
    return str(document[{"tiny_math": "question", "tiny_humaneval": "prompt", "tiny_mbpp": "text"}[task]])


def response(task: str, document: Document) -> str:
    """Return the assistant's turn that training teaches for a document."""
    if task == "tiny_math":
        return str(document["answer"])
    if task == "tiny_mbpp":
        return f"```python\n{document['code']}\n```"
    signature = str(document["prompt"]).partition("\n")[0]
    return f"```python\n{signature}\n{document['canonical_solution']}```"


def drills(count: int, seed: int) -> list[str]:
    """Return bare arithmetic facts such as `17 + 5 = 22`: the steps that word problems are made of."""
    generator = random.Random(f"drills/{seed}")
    return [_drill(generator) for _ in range(count)]


def word_problem(generator: random.Random) -> WordProblem:
    """Draw a word problem of two or three steps."""
    family = generator.random()
    if family < 0.64:
        return _inventory(generator)
    return _comparison(generator) if family < 0.82 else _shopping(generator)


def function_problem(generator: random.Random) -> FunctionProblem:
    """Draw a one-line function."""
    name = generator.choice(FUNCTION_NAMES)
    shape = generator.random()
    if shape < 0.6:
        return _function_of_number(generator, name)
    return _function_of_two(generator, name) if shape < 0.8 else _function_of_list(generator, name)


def _split_of(content: str) -> Split:
    digest = hashlib.sha256(content.encode()).digest()
    return "test" if int.from_bytes(digest[:4], "big") % _TEST_SHARE == 0 else "train"


def _drill(generator: random.Random) -> str:
    kind = generator.choice(("plus", "plus", "minus", "minus", "times"))
    if kind == "times":
        left, right = _factors(generator)
        return f"{left} * {right} = {left * right}"
    right = generator.randint(2, 9)
    if kind == "plus":
        left = generator.randint(2, 60)
        return f"{left} + {right} = {left + right}"
    left = generator.randint(right + 1, 64)
    return f"{left} - {right} = {left - right}"


def _factors(generator: random.Random) -> tuple[int, int]:
    """Draw two factors whose product stays small: one of them is at most five."""
    factors = [generator.randint(2, 5), generator.randint(2, 9)]
    generator.shuffle(factors)
    return factors[0], factors[1]


def _two_people(generator: random.Random) -> tuple[str, str, str]:
    """Draw a name, the pronoun that goes with it, and another name."""
    (name, pronoun), (friend, _) = generator.sample(PEOPLE, 2)
    return name, pronoun, friend


def _inventory(generator: random.Random) -> WordProblem:
    """Somebody has things, gains some and loses some."""
    name, pronoun, friend = _two_people(generator)
    things = generator.choice(THINGS) + "s"
    lines: list[str] = []
    if generator.random() < 0.6:
        count, each = _factors(generator)
        held = count * each
        sentences = [f"{name} has {count} {generator.choice(BOXES)} of {each} {things}."]
        lines.append(f"{name} has {count} * {each} = {held} {things}.")
    else:
        held = generator.randint(4, 30)
        sentences = [f"{name} has {held} {things}."]
    for opening in (f"{pronoun} ", f"Then {pronoun.lower()} "):
        amount = generator.randint(2, 9)
        gain = held <= amount or generator.random() < 0.5
        event = generator.choice(GAINS if gain else LOSSES).format(amount=amount, friend=friend)
        sentences.append(f"{opening}{event}.")
        before, held = held, held + amount if gain else held - amount
        then, sign = "Then " if lines else "", "+" if gain else "-"
        lines.append(f"{then}{name} has {before} {sign} {amount} = {held} {things}.")
        if len(lines) == 2 and generator.random() < 0.5:
            break
    sentences.append(f"How many {things} does {name} have now?")
    return WordProblem(" ".join(sentences), tuple(lines), held)


def _comparison(generator: random.Random) -> WordProblem:
    """One has some more things, or some times as many, as another; how many together?"""
    name, _, friend = _two_people(generator)
    things = generator.choice(THINGS) + "s"
    if generator.random() < 0.5:
        count, amount = generator.randint(2, 9), generator.randint(2, 9)
        other, sign, relation = count + amount, "+", f"{amount} more {things} than {name}"
    else:
        count, amount = _factors(generator)
        other, sign, relation = count * amount, "*", f"{amount} times as many {things} as {name}"
    question = f"{name} has {count} {things}. {friend} has {relation}. How many {things} do they have together?"
    first = f"{friend} has {count} {sign} {amount} = {other} {things}."
    second = f"Together they have {other} + {count} = {other + count} {things}."
    return WordProblem(question, (first, second), other + count)


def _shopping(generator: random.Random) -> WordProblem:
    """Somebody buys several of one thing and one of another, perhaps with a discount."""
    name, pronoun, _ = _two_people(generator)
    thing, other = generator.sample(THINGS, 2)
    price, count = _factors(generator)
    extra = generator.randint(2, 9)
    paid = price * count + extra
    article = "an" if other[0] in "aeiou" else "a"
    sentences = [f"{name} buys {count} {thing}s for {price} dollars each and {article} {other} for {extra} dollars."]
    lines = [
        f"The {thing}s cost {count} * {price} = {count * price} dollars.",
        f"With the {other} {name} pays {count * price} + {extra} = {paid} dollars.",
    ]
    if generator.random() < 0.4:
        discount = generator.randint(2, min(9, paid - 1))
        sentences.append(f"{pronoun} has a coupon for {discount} dollars.")
        lines.append(f"Then {name} pays {paid} - {discount} = {paid - discount} dollars.")
        paid -= discount
    sentences.append(f"How much does {name} pay?")
    return WordProblem(" ".join(sentences), tuple(lines), paid)


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
