"""Training of block-causal tiny models: the two copies of a sequence, its noise, and the conversion to SDAR's shape."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from scripts.tiny.block_causal import decode_blocks, mask_blocks, two_copy_logits
from scripts.tiny.to_sdar import convert_to_sdar
from scripts.train_tiny import Training
from ssd.modeling.config import Family
from ssd.modeling.dllm import MaskedDiffusionModel
from ssd.modeling.forward_input import ForwardInput
from ssd.modeling.kv_cache import Window
from ssd.modeling.transformer import Transformer
from tests.models import BLOCK_CAUSAL, random_transformer, tiny_config
from tests.scripts.test_train_tiny import small_recipe

BLOCK = 4


def copies(length: int, rows: int = 2) -> tuple[Tensor, Tensor]:
    """Noisy and clean token ids [rows, length], of which about half the noisy ones are masks."""
    generator = torch.Generator().manual_seed(0)
    clean = torch.randint(0, 60, (rows, length), generator=generator)
    return clean.masked_fill(torch.rand(rows, length, generator=generator) < 0.5, 63), clean


@pytest.mark.parametrize("family", BLOCK_CAUSAL)
def test_two_copies_give_the_logits_of_decoding(family: Family) -> None:
    """Each noisy block behind the stored clean blocks on its left, as the model's own calls compute it."""
    model = MaskedDiffusionModel(random_transformer(family, causal_block=BLOCK))
    noisy, clean = copies(5 * BLOCK)
    chosen = torch.ones_like(noisy, dtype=torch.bool)
    logits = two_copy_logits(model.transformer, noisy, clean, 0, chosen).view(2, 5 * BLOCK, -1)
    for row in range(2):
        cache = model.new_growing_cache(5 * BLOCK)
        for start in range(BLOCK, 5 * BLOCK, BLOCK):
            window = Window(start, start + BLOCK, start, start + BLOCK, start + BLOCK)
            states = noisy[row : row + 1, start : start + BLOCK]
            expected = model.append(clean[row, cache.size : start], cache, states, window)[0]
            assert (logits[row, start : start + BLOCK] - expected).abs().max() < 1e-9


@pytest.mark.parametrize("offset", [0, 1, 3])
@pytest.mark.parametrize("family", BLOCK_CAUSAL)
def test_two_copies_at_every_offset_of_the_grid(family: Family, offset: int) -> None:
    """Block after block by a forward over the clean tokens on its left, with a mask written down position by position.

    The positions from `offset` on are at other places of the grid.
    """
    network = random_transformer(family, causal_block=BLOCK)
    length, shift = 11, network.config.logits_shift
    noisy, clean = copies(length)
    chosen = torch.zeros_like(noisy, dtype=torch.bool)
    chosen[:, 1:] = True
    with torch.no_grad():
        logits = two_copy_logits(network, noisy, clean, offset, chosen).view(2, length - 1, -1)
        for place in range(1, length):
            left = max(0, (place + offset) // BLOCK * BLOCK - offset)
            stop = min(length, left + BLOCK - (left + offset) % BLOCK)
            tokens = torch.cat((clean[:, :left], noisy[:, left:stop]), dim=1)
            seen = [[(j + offset) // BLOCK <= (i + offset) // BLOCK for j in range(stop)] for i in range(stop)]
            hidden = network([ForwardInput(tokens, start=offset, visible=torch.tensor(seen))])[0]
            expected = network.predict(hidden[:, place - shift])
            assert (logits[:, place - 1] - expected).abs().max() < 1e-9


@pytest.mark.parametrize("offset", range(BLOCK))
def test_hidden_positions_lie_in_the_response_and_whole_blocks_are_often_hidden(offset: int) -> None:
    maskable = torch.zeros(300, 23, dtype=torch.bool)
    maskable[:, 6:] = True
    hidden = mask_blocks(maskable, BLOCK, offset, torch.Generator().manual_seed(1))
    assert not (hidden & ~maskable).any()
    assert hidden.any(dim=1).all()
    assert torch.equal(hidden, mask_blocks(maskable, BLOCK, offset, torch.Generator().manual_seed(1)))
    whole = [
        hidden[:, start : start + BLOCK] for start in range(-offset % BLOCK, 20, BLOCK) if 6 <= start <= 23 - BLOCK
    ]
    shares = torch.stack([block.all(dim=1).float().mean() for block in whole])
    assert ((shares > 0.25) & (shares < 0.7)).all()
    # Borders at another place cut blocks of different noise in two.
    between = torch.stack(
        [hidden[:, s + 2 : s + 2 + BLOCK].all(dim=1).float().mean() for s in range(8, 17) if (s + offset) % BLOCK == 0]
    )
    assert between.mean() < shares.mean() - 0.05


@pytest.mark.parametrize("tied_head", [False, True])
def test_llada_becomes_a_network_of_sdars_shape(tied_head: bool) -> None:
    llada = random_transformer("llada", dtype=torch.float32)
    shape = {"own_head_size": 8, "heads": 6, "key_value_heads": 3, "mlp_size": 48, "tied_head": tied_head}
    sdar = Transformer(tiny_config("sdar", **shape))
    sample = torch.randint(0, 60, (3, 20), generator=torch.Generator().manual_seed(0))
    convert_to_sdar(llada, sdar, sample)
    assert torch.equal(sdar.embedding.weight, llada.embedding.weight)
    theirs, ours = llada.layers[1], sdar.layers[1]
    assert torch.equal(ours.query.weight[:32], theirs.query.weight)
    assert torch.equal(ours.attention_out.weight[:, :32], theirs.attention_out.weight)
    assert not ours.attention_out.weight[:, 32:].any()
    torch.testing.assert_close(ours.key.weight[:8], (theirs.key.weight[:8] + theirs.key.weight[8:16]) / 2)
    queries = (llada.layers[0].query(llada.layers[0].attention_norm(llada.embedding(sample)))).unflatten(-1, (-1, 8))
    size = queries.square().mean(-1).sqrt().mean()
    torch.testing.assert_close(sdar.layers[0].query_norm.weight, size.expand(8))
    assert all(len(response) == 9 for response in decode_blocks(sdar, sample.tolist(), 9))
    with pytest.raises(ValueError, match="the SDAR shape needs LLaDA's own head_size, hidden_size, layers, vocabulary"):
        convert_to_sdar(llada, Transformer(tiny_config("sdar")), sample)


@pytest.mark.parametrize("model", ["sdar_tiny", "fast_dllm_v2_tiny"])
@pytest.mark.usefixtures("one_tokenizer")
@pytest.mark.slow
def test_a_training_of_blocks_moves_every_matrix(model: str, tmp_path: Path) -> None:
    training = Training(small_recipe(model), tmp_path / "state.pt")
    block = training.network.config.causal_block
    assert len({batch.offset for step in range(4) for batch in training.pool.batches(step, False, block)}) > 2
    before = {name: weight.clone() for name, weight in training.network.named_parameters() if weight.ndim == 2}
    for _ in range(3):
        training.advance()
    after = dict(training.network.named_parameters())
    assert [name for name, weight in before.items() if torch.equal(weight, after[name])] == []
