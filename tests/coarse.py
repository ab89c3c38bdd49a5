"""What a GPU does in coarse arithmetic: a forward over several nodes goes through other kernels than one over one."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ssd.modeling.dllm import MaskedDiffusionModel
from ssd.modeling.transformer import Transformer

SPLITS = 4


class SplitKernels(MaskedDiffusionModel):
    """The same model and weights, but forwards over several nodes add up every matrix product in `SPLITS` parts.

    Each part is rounded to the model's dtype before it is added, as split-K kernels do that write partial sums.
    always: forwards over one state too, as where responses share their forwards.
    """

    def __init__(self, model: MaskedDiffusionModel, always: bool = False) -> None:
        self.transformer, self.config, self.always = model.transformer, model.config, always
        with torch.device("meta"):
            self.split = Transformer(model.config)
        self.split.load_state_dict(model.transformer.state_dict(), assign=True)
        self.split.eval().requires_grad_(False)
        for linear in self.split.modules():
            if isinstance(linear, nn.Linear):
                linear.forward = lambda inputs, linear=linear: _in_parts(inputs, linear.weight, linear.bias)

    def refresh(self, canvas, window):
        return (
            MaskedDiffusionModel(self.split).refresh(canvas, window) if self.always else super().refresh(canvas, window)
        )

    def window(self, states, window, context=None):
        if states.shape[0] == 1 and not self.always:
            return super().window(states, window, context)
        return MaskedDiffusionModel(self.split).window(states, window, context)


def _in_parts(inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    pairs = zip(inputs.chunk(SPLITS, dim=-1), weight.chunk(SPLITS, dim=-1), strict=True)
    total = sum(F.linear(part, rows) for part, rows in pairs)
    return total if bias is None else total + bias
