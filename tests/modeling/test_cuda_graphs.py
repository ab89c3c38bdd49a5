"""CUDA graphs on a pretended device: pools, and how long what lies in them is valid."""

import gc

import pytest
import torch

from ssd.modeling.cuda_graphs import WARM_UPS, CudaGraphs
from tests.pretended.cuda import pretended_cuda
from tests.pretended.tensors import on_host

CUDA = torch.device("cuda", 1)


@pytest.fixture
def record():
    with pretended_cuda() as record:
        yield record


def test_a_replay_reads_what_its_inputs_hold_and_is_lost_at_the_next_one(record):
    graphs, given = CudaGraphs(CUDA), torch.zeros(3, device=CUDA)
    double, triple = graphs(lambda: given * 2), graphs(lambda: given * 3)
    given.fill_(7)
    doubled = double()
    assert on_host(doubled).tolist() == [14] * 3
    assert on_host(triple()).tolist() == [21] * 3
    assert on_host(doubled).isnan().all()


def test_all_captures_share_one_pool(record):
    graphs, given = CudaGraphs(CUDA), torch.zeros(3, device=CUDA)
    replays = [graphs(lambda: given + 1) for _ in range(3)]
    assert len(replays) == 3
    assert len({graph.pool() for graph in graphs._living}) == 1


def test_once_its_captures_are_gone_a_pool_is_not_asked_for_again(record):
    """torch ends with an assertion where anything lies in a pool that no graph holds any more."""
    graphs, given = CudaGraphs(CUDA), torch.zeros(3, device=CUDA)
    kept = graphs(lambda: given + 1)()
    gc.collect()
    assert on_host(graphs(lambda: given + 2)()).tolist() == [2] * 3
    assert on_host(kept).tolist() == [1] * 3


def test_a_capture_comes_after_runs_on_its_stream_and_leaves_the_current_device(record):
    devices = []
    CudaGraphs(CUDA)(lambda: devices.append(torch.cuda.current_device()) or torch.ones(2, device=CUDA) * 2)
    assert devices == [1] * (WARM_UPS + 1)
    assert torch.cuda.current_device() == 0


@pytest.mark.parametrize(
    "ask",
    [
        lambda tensor: tensor.sum().item(),
        lambda tensor: tensor.cpu(),
        lambda tensor: torch.ones(1).to(CUDA, non_blocking=True),
        lambda tensor: torch.tensor([1], device=CUDA),
        lambda tensor: tensor[tensor > 0],
        lambda tensor: torch.cuda.synchronize(),
    ],
)
def test_the_double_refuses_what_a_capture_cannot_hold(record, ask):
    given = torch.ones(3, device=CUDA)
    with pytest.raises(RuntimeError, match="cannot be captured"):
        CudaGraphs(CUDA)(lambda: ask(given))
