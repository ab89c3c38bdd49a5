"""Continuous batching: each response is decoded in its own thread, and the threads share forwards."""

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
from ssd.modeling.dllm import WindowForwards
from ssd.modeling.forward_input import ForwardInput
from ssd.modeling.forwards import DelegatingModel, DiffusionModel

Result = TypeVar("Result")
Job = Callable[[DiffusionModel], Result]


@dataclass
class Share(Generic[Result]):
    """One response's result and its share of a batch.

    latency_s: from its start to its end; time_s: its share of the wall clock, each forward's time being divided by the
    number of responses it serves; forwards: its share of the forwards, divided likewise.
    """

    result: Result
    latency_s: float
    time_s: float
    forwards: float


@dataclass
class _Account:
    """Time and forwards charged to one response so far."""

    time_s: float = 0.0
    forwards: float = 0.0


@dataclass(eq=False)
class _Request:
    """A thread's request: the hidden states of a window, or the logits of hidden states."""

    argument: ForwardInput | Tensor
    account: _Account
    answer: Tensor | None = None


class ContinuousBatcher(WindowForwards, DelegatingModel):
    """The same model for several decoding threads: a shared forward starts when all threads wait for one."""

    def __init__(self, inner: DiffusionModel) -> None:
        super().__init__(inner)
        self._turn = threading.Condition()
        self._mine = threading.local()
        self._active = 0
        self._requests: list[_Request] = []
        self._failure: BaseException | None = None
        self._charged_until_s = 0.0

    def run(self, jobs: Sequence[Job[Result]], size: int) -> list[Share[Result]]:
        """Return the shares of all jobs, in order; `size` jobs run at a time. The first failure ends all jobs."""
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
        """Do one waiting job after another, until none is left."""
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

    def hidden(self, forward_input: ForwardInput) -> Tensor:
        return self._request(forward_input)

    def logits(self, hidden: Tensor) -> Tensor:
        return self._request(hidden)

    def _request(self, argument: ForwardInput | Tensor) -> Tensor:
        request = _Request(argument, self._mine.account)
        with self._turn:
            self._requests.append(request)
            self._serve_if_all_wait()
            self._turn.wait_for(lambda: request.answer is not None or self._failure is not None)
        if request.answer is None:
            raise RuntimeError("another response of the batch has failed") from self._failure
        return request.answer

    @torch.inference_mode()  # a finished thread is no longer inside its decoder's inference mode
    def _serve_if_all_wait(self) -> None:
        """Answer all requests of one kind, in the thread that made the last one.

        Logits come first: their threads request hidden states next, and so join the others' forward.
        """
        if not self._requests or len(self._requests) < self._active or self._failure is not None:
            return
        now = [request for request in self._requests if isinstance(request.argument, Tensor)]
        if now:
            answers = self._predict_all([each.argument for each in now if isinstance(each.argument, Tensor)])
        else:
            now = self._requests
            answers = self.transformer([request.argument for request in now])
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
        """Return logits of several hidden states [nodes, rows, hidden_size], from one product with the head."""
        flat = self.transformer.predict(torch.cat([states.flatten(0, 1) for states in hidden]))
        each = flat.split([states.shape[0] * states.shape[1] for states in hidden])
        return [logits.view(*states.shape[:2], flat.shape[-1]) for states, logits in zip(hidden, each, strict=True)]

    def _fail(self, error: BaseException) -> None:
        with self._turn:
            self._failure = self._failure or error
            self._turn.notify_all()
