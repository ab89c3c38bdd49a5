"""Muon for the matrices inside the layers, AdamW for all other weights, with one learning-rate schedule."""

from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 5


class FloatMuon(Optimizer):
    """Muon (Keller Jordan, 2024) in the parameters' dtype. Matrices of one shape are orthogonalised together.

    `torch.optim.Muon` always computes in bfloat16. A CPU without bfloat16 arithmetic is then twenty times slower than
    in float32, and a step of the optimiser takes longer than the forward and backward passes.
    """

    def __init__(self, params: Iterable[Tensor], lr: float, momentum: float = 0.95, weight_decay: float = 0.02) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update every matrix with a gradient."""
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[Tensor]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    by_shape[parameter.shape].append(parameter)
            for shape, parameters in by_shape.items():
                directions = []
                for parameter in parameters:
                    state = self.state[parameter]
                    if "momentum" not in state:
                        state["momentum"] = torch.zeros_like(parameter)
                    momentum: Tensor = state["momentum"]
                    gradient = parameter.grad
                    assert gradient is not None
                    momentum.lerp_(gradient, 1 - group["momentum"])
                    directions.append(gradient.lerp(momentum, group["momentum"]))
                scale = group["lr"] * max(1.0, shape[0] / shape[1]) ** 0.5
                for parameter, direction in zip(parameters, orthogonalise(torch.stack(directions)), strict=True):
                    parameter.mul_(1 - group["lr"] * group["weight_decay"]).sub_(direction, alpha=scale)


def orthogonalise(matrices: Tensor) -> Tensor:
    """Return matrices [n, rows, columns] with singular values near one, by five Newton-Schulz iterations."""
    tall = matrices.shape[-2] > matrices.shape[-1]
    current = matrices.mT if tall else matrices
    current = current / current.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7)
    a, b, c = _COEFFICIENTS
    for _ in range(_ITERATIONS):
        gram = current @ current.mT
        current = torch.baddbmm(current, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), current, beta=a)
    return current.mT if tall else current


class Optimisers:
    """Both optimisers together: one step, one schedule, one state."""

    def __init__(self, model: nn.Module, muon_rate: float, adamw_rate: float) -> None:
        named = list(model.named_parameters())
        matrices = [weight for name, weight in named if weight.ndim == 2 and ".layers." in f".{name}"]
        chosen = {id(weight) for weight in matrices}
        others = [weight for _, weight in named if id(weight) not in chosen]
        self.muon = FloatMuon(matrices, lr=muon_rate)
        self.adamw = AdamW(others, lr=adamw_rate, betas=(0.9, 0.95), weight_decay=0.0)
        self.rates = ((self.muon, muon_rate), (self.adamw, adamw_rate))

    def step(self, share: float) -> None:
        """Update the weights at `share` of the highest learning rates, and clear the gradients."""
        for optimiser, rate in self.rates:
            for group in optimiser.param_groups:
                group["lr"] = rate * share
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)

    def state_dict(self) -> dict[str, object]:
        return {"muon": self.muon.state_dict(), "adamw": self.adamw.state_dict()}

    def load_state_dict(self, state: dict[str, dict[str, object]]) -> None:
        self.muon.load_state_dict(state["muon"])
        self.adamw.load_state_dict(state["adamw"])


def rate_share(step: int, steps: int, warmup: int) -> float:
    """Return the share of the highest learning rate: a linear rise, then a linear fall to zero at the last step."""
    return min((step + 1) / max(warmup, 1), (steps - step) / max(steps - warmup, 1), 1.0)
