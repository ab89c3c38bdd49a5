"""Build the networks of the tiny checkpoints, with one interface for logits and weights."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import Qwen2Config, Qwen2ForCausalLM

from scripts.tiny.conversion import convert
from scripts.tiny.to_sdar import convert_to_sdar
from ssd.modeling.config import ModelConfig
from ssd.modeling.transformer import Transformer
from ssd.modeling.weights import to_hub_names

Network: TypeAlias = Transformer | Qwen2ForCausalLM


def build(hub_config: Mapping[str, Any], seed: int) -> Network:
    """Return a newly initialised network for the contents of a config.json."""
    torch.manual_seed(seed)
    if hub_config["model_type"] == "qwen2":
        network: Network = Qwen2ForCausalLM(Qwen2Config(**hub_config))
    else:
        network = Transformer(ModelConfig.from_hub(hub_config))
    _initialise(network)
    return network


def is_causal(network: Network) -> bool:
    """Return whether a network is autoregressive: its logits then predict the next position."""
    return isinstance(network, Qwen2ForCausalLM)


def block_of(network: Network) -> int | None:
    """Return the length of a block-causal network's blocks; None for all others."""
    return network.config.causal_block if isinstance(network, Transformer) else None


def logits(network: Network, tokens: Tensor) -> Tensor:
    """Return logits [rows, length, vocabulary] of tokens [rows, length]."""
    if isinstance(network, Qwen2ForCausalLM):
        return network(input_ids=tokens, use_cache=False).logits
    return network.logits(tokens)


def hub_weights(network: Network) -> dict[str, Tensor]:
    """Return the weights by their names in Hub checkpoints; they share storage with the network."""
    weights = network.state_dict()
    return to_hub_names(weights, network.config) if isinstance(network, Transformer) else dict(weights)


def start_from(network: Network, folder: Path, sample: Tensor) -> None:
    """Copy the weights of another tiny checkpoint. Weights with the same names are copied as they are.

    Dream's become LLaDA's, and LLaDA's become SDAR's, by a conversion.

    `sample`: training tokens [rows, length]. Raise FileNotFoundError if the checkpoint is missing.
    """
    if not isinstance(network, Transformer):
        raise ValueError("only the diffusion models can start from another checkpoint")
    for name in ("model.safetensors", "config.json"):
        if not (folder / name).is_file():
            raise FileNotFoundError(f"no {name} in {folder}; train that checkpoint first")
    weights = load_file(folder / "model.safetensors")
    if weights.keys() == hub_weights(network).keys():
        load_hub_weights(network, weights)
        return
    source = Transformer(ModelConfig.from_hub(json.loads((folder / "config.json").read_text()), str(folder)))
    load_hub_weights(source, weights)
    (convert_to_sdar if network.config.query_key_norm else convert)(source, network, sample)


def load_hub_weights(network: Transformer, weights: Mapping[str, Tensor]) -> None:
    """Copy weights with the Hub's names into a network; raise ValueError if names are missing or unknown."""
    targets = hub_weights(network)
    strange = sorted(weights.keys() ^ targets.keys())
    if strange:
        raise ValueError(f"{len(strange)} weights do not fit the network, such as {strange[0]}")
    with torch.no_grad():
        for name, target in targets.items():
            target.copy_(weights[name])


def _initialise(network: nn.Module) -> None:
    """Draw small weights. Matrices that write to the residual stream start at zero."""
    for name, weight in network.named_parameters():
        if weight.ndim == 1:
            nn.init.constant_(weight, 0.0 if name.endswith("bias") else 1.0)
        elif name.endswith(("attention_out.weight", "down.weight", "o_proj.weight", "down_proj.weight")):
            nn.init.zeros_(weight)
        elif "embed" in name:
            nn.init.normal_(weight, std=0.3)
        else:
            nn.init.normal_(weight, std=0.5 * weight.shape[1] ** -0.5)
