"""Random models whose responses vary from position to position and change with every committed token."""

from typing import Any

import torch

from ssd.modeling.config import Family
from ssd.modeling.dllm import MaskedDiffusionModel
from ssd.modeling.transformer import Transformer
from tests.models import random_transformer


def restless_transformer(
    family: Family, seed: int = 0, dtype: torch.dtype = torch.float64, sharpness: float = 3.0, **changes: Any
) -> Transformer:
    """A random transformer in which a mask says little of itself and looks hard at particular neighbours.

    In a plain random one the mask's own embedding outshouts all else, and LLaDA then predicts one token everywhere.
    """
    transformer = random_transformer(family, seed, dtype, sharpness, **({"rope_theta": 100.0} | changes))
    with torch.no_grad():
        transformer.embedding.weight[transformer.config.mask_id] *= 0.1
        for layer in transformer.layers:
            # A norm of the queries undoes what their own weight does.
            (layer.query_norm if layer.has_norms else layer.query).weight *= 4
    return transformer


def restless_model(
    family: Family, seed: int = 0, dtype: torch.dtype = torch.float64, sharpness: float = 3.0, **changes: Any
) -> MaskedDiffusionModel:
    """`restless_transformer` as decoders see it."""
    return MaskedDiffusionModel(restless_transformer(family, seed, dtype, sharpness, **changes))
