"""Which piece a worker is given next: by hand, and that no order of answers loses, doubles or mixes any."""

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from ssd.campaign.workers.work_queue import Piece, QueuedRun, choose


class References(dict[int, str]):
    """The references that are not there yet, by question."""

    def missing(self, group):
        return {self[number] for number in group if number in self}


class Job:
    """So many questions, each a piece; `references`: which of them share a reference that is not there yet."""

    def __init__(self, pieces: int, references: dict[int, str] | None = None) -> None:
        self.todo = list(range(pieces))
        self.start = SimpleNamespace(measured={})
        self.references = References(references or {})

    def to_decode(self):
        return self.todo

    def to_audit(self):
        return self.todo

    def groups(self, questions):
        return [[number] for number in questions]


def queued(pieces: int, is_exclusive: bool = False, is_begun: bool = True, references: dict[int, str] | None = None):
    run = QueuedRun.of(0, Job(pieces, references), None, is_exclusive)
    run.measured = {"costs": 1} if is_begun else None
    return run


def first_of(runs: list[QueuedRun], own: list[Piece], others: list[Piece]) -> Piece | None:
    """What a worker is given of a queue."""
    return next((piece for run in runs if (piece := choose(run, own, others))), None)


def numbers(run: QueuedRun) -> list[int]:
    return [piece.questions[0] for piece in run.waiting]


def test_pieces_come_in_order_and_once():
    first, second = queued(2), queued(1)
    taken = [first_of([first, second], [], []) for _ in range(4)]
    assert [(piece.run, piece.questions[0]) for piece in taken[:3]] == [(first, 0), (first, 1), (second, 0)]
    assert taken[3] is None


def test_a_run_is_opened_by_one_worker_while_others_go_on_with_the_next_run():
    first, second = queued(3, is_begun=False), queued(1)
    opening = first_of([first, second], [], [])
    assert first_of([first, second], [opening], []).run is first, "the same worker may have more of it"
    assert first_of([first, second], [], [opening]).run is second
    assert first_of([first, second], [], [opening]) is None
    first.measured = {"costs": 1}
    assert first_of([first, second], [], [opening]).run is first


def test_a_timing_run_is_alone():
    timed, free = queued(2, is_exclusive=True), queued(2)
    busy = Piece(free, "decode", [9])
    assert first_of([timed, free], [], [busy]).run is free, "meanwhile others go on"
    assert first_of([timed], [], [busy]) is None
    piece = first_of([timed, free], [], [])
    assert piece.run is timed
    assert first_of([timed, free], [], [piece]) is None, "nobody else works while it is measured"
    assert first_of([timed, free], [piece], []).run is timed, "its own worker goes on with it"


def test_a_reference_is_not_decoded_by_two_at_a_time():
    first, second = queued(2, references={0: "a", 1: "b"}), queued(3, references={0: "a", 1: "b"})
    a = first_of([first, second], [], [])
    b = first_of([first, second], [a], [])
    assert first_of([second], [], [a, b]).questions == [2], "which needs neither"
    assert first_of([second], [a, b], []) is None
    assert numbers(second) == [0, 1]
    del first.job.references[0], second.job.references[0]
    assert first_of([second], [], [b]).questions == [0]


@given(st.data())
def test_whatever_the_order_of_answers_all_is_done_once_and_timing_is_alone(data):
    runs = [queued(data.draw(st.integers(0, 4)), data.draw(st.booleans()), data.draw(st.booleans())) for _ in range(3)]
    sent: list[list[Piece]] = [[] for _ in range(3)]
    done: list[Piece] = []
    while True:
        for own in sent:
            while len(own) < 2:
                others = [piece for other in sent if other is not own for piece in other]
                piece = first_of(runs, own, others)
                if piece is None:
                    break
                own.append(piece)
        at_work = [worker for worker in sent if worker]
        if any(piece.is_exclusive for worker in at_work for piece in worker):
            assert len(at_work) == 1
        if not at_work:
            break
        worker = data.draw(st.sampled_from(at_work))
        piece = worker.pop(0)
        if piece.phase == "audit":
            decoded = [other.questions for other in done if (other.run, other.phase) == (piece.run, "decode")]
            assert len(decoded) == len(piece.run.job.todo), "audits begin when all is decoded"
        piece.run.measured = {"costs": 1}
        piece.run.left -= 1
        piece.run.next_phase()
        done.append(piece)
    for phase in ("decode", "audit"):
        assert sorted((runs.index(piece.run), piece.questions[0]) for piece in done if piece.phase == phase) == [
            (place, number) for place, run in enumerate(runs) for number in run.job.todo
        ]
