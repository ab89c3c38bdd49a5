"""Word problems of the tiny language: two or three steps of easy arithmetic, in the shape of GSM8K."""

import random
from dataclasses import dataclass

PEOPLE: tuple[tuple[str, str], ...] = (
    *((name, "He") for name in ("Tom", "Ben", "Sam", "Leo")),
    *((name, "She") for name in ("Mia", "Ana", "Eva", "Zoe")),
)
THINGS: tuple[str, ...] = ("apple", "pen", "book", "card", "coin", "egg", "cup", "toy")
BOXES: tuple[str, ...] = ("boxes", "bags", "rows")
GAINS: tuple[str, ...] = ("buys {amount} more", "finds {amount} more", "gets {amount} from {friend}")
LOSSES: tuple[str, ...] = ("gives {amount} to {friend}", "loses {amount}", "sells {amount}")


@dataclass(frozen=True)
class WordProblem:
    """A word problem and its worked solution."""

    question: str
    lines: tuple[str, ...]
    result: int

    @property
    def content(self) -> str:
        return self.question

    def document(self, index: int) -> dict[str, str]:
        """Return the problem with the fields of a GSM8K document."""
        return {"question": self.question, "answer": "\n".join((*self.lines, f"#### {self.result}"))}


def word_problem(generator: random.Random) -> WordProblem:
    """Draw a word problem of two or three steps."""
    family = generator.random()
    if family < 0.64:
        return _inventory(generator)
    return _comparison(generator) if family < 0.82 else _shopping(generator)


def factors(generator: random.Random) -> tuple[int, int]:
    """Draw two factors with a small product: one of them is at most five."""
    factors = [generator.randint(2, 5), generator.randint(2, 9)]
    generator.shuffle(factors)
    return factors[0], factors[1]


def _two_people(generator: random.Random) -> tuple[str, str, str]:
    """Draw a name, its pronoun, and another name."""
    (name, pronoun), (friend, _) = generator.sample(PEOPLE, 2)
    return name, pronoun, friend


def _inventory(generator: random.Random) -> WordProblem:
    """Draw a problem in which a person has things, gains some and loses some."""
    name, pronoun, friend = _two_people(generator)
    things = generator.choice(THINGS) + "s"
    lines: list[str] = []
    if generator.random() < 0.6:
        count, each = factors(generator)
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
    """Draw a problem that compares two persons' things and asks for the total."""
    name, _, friend = _two_people(generator)
    things = generator.choice(THINGS) + "s"
    if generator.random() < 0.5:
        count, amount = generator.randint(2, 9), generator.randint(2, 9)
        other, sign, relation = count + amount, "+", f"{amount} more {things} than {name}"
    else:
        count, amount = factors(generator)
        other, sign, relation = count * amount, "*", f"{amount} times as many {things} as {name}"
    question = f"{name} has {count} {things}. {friend} has {relation}. How many {things} do they have together?"
    first = f"{friend} has {count} {sign} {amount} = {other} {things}."
    second = f"Together they have {other} + {count} = {other + count} {things}."
    return WordProblem(question, (first, second), other + count)


def _shopping(generator: random.Random) -> WordProblem:
    """Draw a problem in which a person buys two kinds of things, with or without a discount."""
    name, pronoun, _ = _two_people(generator)
    thing, other = generator.sample(THINGS, 2)
    price, count = factors(generator)
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
