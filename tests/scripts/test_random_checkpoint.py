"""Random checkpoints in the Hub's layout: they load, in shards of the wanted size."""

import json

import pytest
import torch

from scripts import random_checkpoint
from ssd.modeling.checkpoint import load_model
from tests.models import BLOCK_CAUSAL, hub_config, tiny_config


@pytest.mark.parametrize("family", BLOCK_CAUSAL)
@pytest.mark.parametrize("tied", [True, False])
def test_a_random_checkpoint_loads_with_the_shape_of_its_config(tmp_path, capsys, family, tied):
    config = tiny_config(family, tied_head=tied)
    (tmp_path / "config.json").write_text(json.dumps(hub_config(config)))
    random_checkpoint.main([str(tmp_path), "--dtype", "float32", "--shard-mib", "0"])
    model = load_model(tmp_path)
    assert model.config == config
    assert 0.5 < model.transformer.logits(torch.arange(8)[None]).std() < 2
    files = list(tmp_path.glob("*.safetensors"))
    assert f"{len(files)} files" in capsys.readouterr().out


def test_shards_have_at_least_the_given_size(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(hub_config(tiny_config("sdar"))))
    files = random_checkpoint.write_shards(tmp_path, torch.float32, 20_000)
    assert len(files) > 1
    assert all(file.stat().st_size >= 20_000 for file in files[:-1])
