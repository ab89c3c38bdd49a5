"""Arithmetic and forward shapes of reference and decoder: `runtime.numerics`."""

from __future__ import annotations

import torch

from ssd.config.runtime import Numerics
from ssd.decoding.decoder import Decoder
from ssd.modeling.batch_invariant import BatchInvariantModel
from ssd.modeling.forwards import DiffusionModel


def with_numerics(model: DiffusionModel, numerics: Numerics, *decoders: Decoder) -> DiffusionModel:
    """Return the model in these numerics, the same for all decoders.

    native: as it is, each forward as large as its states need; locked: every window forward has room for the most nodes
    that any of the decoders evaluates; float64: the weights as they are, all arithmetic in float64 (the transformer is
    converted in place).
    """
    if numerics == "locked":
        return BatchInvariantModel(model, max(decoder.most_nodes for decoder in decoders))
    if numerics == "float64":
        model.transformer.to(torch.float64)
    return model
