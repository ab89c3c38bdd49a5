"""Several responses at once: each is decoded in a thread of its own, and their windows meet in shared forwards."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor

from ssd.measure.clock import synchronize
from ssd.modeling.dllm import MaskedDiffusionModel
from ssd.modeling.forward_input import ForwardInput

Result = TypeVar("Result")
Job = Callable[[MaskedDiffusionModel], Result]


@dataclass
class Share(Generic[Result]):
    """One response's part in what a batch did.

    latency_s: from its own start to its end; time_s: its share of the wall clock, which is divided among the responses
    that each forward serves; forwards: its share of the forwards, likewise.
    """

    result: Result
    latency_s: float
    time_s: float
    forwards: float


@dataclass
class _Account:
    """What has been charged to one response so far."""

    time_s: float = 0.0
    forwards: float = 0.0


@dataclass(eq=False)
class _Request:
    """What one thread waits for: the hidden states of a part, or the logits of hidden states."""

    asked: ForwardInput | Tensor
    account: _Account
    answer: Tensor | None = None


class ContinuousBatcher(MaskedDiffusionModel):
    """The same model, for threads that decode side by side: a forward starts once all of them wait for one."""

    def __init__(self, model: MaskedDiffusionModel) -> None:
        self.transformer, self.config = model.transformer, model.config
        self._turn = threading.Condition()
        self._mine = threading.local()
        self._active = 0
        self._requests: list[_Request] = []
        self._failure: BaseException | None = None
        self._charged_until_s = 0.0

    def run(self, jobs: Sequence[Job[Result]], size: int) -> list[Share[Result]]:
        """Do all jobs, `size` at a time, each finished one replaced by a waiting one; the first failure ends all."""
        synchronize(self.device)
        self._requests, self._failure, self._charged_until_s = [], None, time.perf_counter()
        waiting, shares = iter(enumerate(jobs)), dict[int, Share[Result]]()
        self._active = min(size, len(jobs))
        with ThreadPoolExecutor(self._active) as pool:
            try:
                wait([pool.submit(self._work, waiting, shares) for _ in range(self._active)])
            except BaseException as error:  # an interrupt must not leave threads waiting for each other
                self._fail(error)
                raise
        if self._failure is not None:
            raise self._failure
        rest_s = time.perf_counter() - self._charged_until_s
        for share in shares.values():
            share.time_s += rest_s / len(jobs)
        return [shares[place] for place in range(len(jobs))]

    def _work(self, waiting: Iterator[tuple[int, Job[Result]]], shares: dict[int, Share[Result]]) -> None:
        """One thread: job after job, until none is left."""
        try:
            while True:
                with self._turn:
                    place, job = next(waiting, (-1, None))
                if job is None:
                    break
                account, started_s = _Account(), time.perf_counter()
                self._mine.account = account
                result = job(self)
                shares[place] = Share(result, time.perf_counter() - started_s, account.time_s, account.forwards)
            with self._turn:
                self._active -= 1
                self._serve_if_all_wait()
        except BaseException as error:
            self._fail(error)

    def _hidden(self, part: ForwardInput) -> Tensor:
        return self._ask(part)

    def _logits(self, hidden: Tensor) -> Tensor:
        return self._ask(hidden)

    def _ask(self, asked: ForwardInput | Tensor) -> Tensor:
        request = _Request(asked, self._mine.account)
        with self._turn:
            self._requests.append(request)
            self._serve_if_all_wait()
            self._turn.wait_for(lambda: request.answer is not None or self._failure is not None)
        if request.answer is None:
            raise RuntimeError("another response of the batch has failed") from self._failure
        return request.answer

    @torch.inference_mode()  # a thread that leaves is no longer inside its decoder's
    def _serve_if_all_wait(self) -> None:
        """Answer requests of one kind, by the thread that came last.

        Logits come first: those who get them ask for hidden states next, and so join the others' forward.
        """
        if not self._requests or len(self._requests) < self._active or self._failure is not None:
            return
        now = [request for request in self._requests if isinstance(request.asked, Tensor)]
        if now:
            answers = self._predict_all([request.asked for request in now])
        else:
            now = self._requests
            answers = self.transformer([request.asked for request in now])
            for request in now:
                request.account.forwards += 1 / len(now)
        synchronize(self.device)
        self._requests = [request for request in self._requests if request not in now]
        passed_s = time.perf_counter() - self._charged_until_s
        self._charged_until_s += passed_s
        for request, answer in zip(now, answers, strict=True):
            request.answer = answer
            request.account.time_s += passed_s / len(now)
        self._turn.notify_all()

    def _predict_all(self, hidden: Sequence[Tensor]) -> list[Tensor]:
        """Logits of several hidden states [nodes, rows, hidden_size], from one product with the head."""
        flat = self.transformer.predict(torch.cat([states.flatten(0, 1) for states in hidden]))
        each = flat.split([states.shape[0] * states.shape[1] for states in hidden])
        return [logits.view(*states.shape[:2], -1) for states, logits in zip(hidden, each, strict=True)]

    def _fail(self, error: BaseException) -> None:
        with self._turn:
            self._failure = self._failure or error
            self._turn.notify_all()
