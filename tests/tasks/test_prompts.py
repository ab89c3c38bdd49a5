"""Rendering with Dream's real tokenizer, and with LLaDA's real template on a tokenizer that adds a BOS."""

import hashlib

import pytest
from transformers import PreTrainedTokenizerFast, Qwen2TokenizerFast

from ssd.tasks.prompts import render, response_text, sha256_of_ids
from ssd.tasks.task import Document
from ssd.tasks.tiny_math import TinyMath

DOCUMENT = Document(index=0, question="How many eggs are 9 + 9 ?", target="18", solution="9 + 9 = 18\n#### 18")
EXAMPLE = Document(index=0, question="How many are 2 + 3 ?", target="5", solution="2 + 3 = 5\n#### 5")
DREAM_END, DREAM_TURN_END, DREAM_BOS, DREAM_MASK = 151643, 151645, 151665, 151666


def test_chat(dream: Qwen2TokenizerFast) -> None:
    ids = render(dream, TinyMath(), DOCUMENT, [EXAMPLE], chat=True)
    assert dream.decode(ids) == (
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
        f"<|im_start|>user\n{EXAMPLE.question}<|im_end|>\n"
        f"<|im_start|>assistant\n{EXAMPLE.solution}<|im_end|>\n"
        f"<|im_start|>user\n{DOCUMENT.question}<|im_end|>\n"
        "<|im_start|>assistant\n"
    )
    assert ids.count(DREAM_TURN_END) == 4
    assert all(type(token) is int for token in ids)


class Begun(TinyMath):
    """Begins the assistant's turn itself."""

    def response_prefix(self, document: Document) -> str:
        return "Here it is:\n"


def test_a_chats_response_may_be_begun(dream: Qwen2TokenizerFast) -> None:
    begun, plain = (render(dream, task, DOCUMENT, [EXAMPLE], chat=True) for task in (Begun(), TinyMath()))
    assert dream.decode(begun) == dream.decode(plain) + "Here it is:\n"
    assert render(dream, Begun(), DOCUMENT, [], chat=False) == render(dream, TinyMath(), DOCUMENT, [], chat=False)


def test_raw(dream: Qwen2TokenizerFast) -> None:
    ids = render(dream, TinyMath(), DOCUMENT, [EXAMPLE], chat=False)
    assert dream.decode(ids) == (
        f"Question: {EXAMPLE.question}\nAnswer: {EXAMPLE.solution}\n\nQuestion: {DOCUMENT.question}\nAnswer:"
    )


def test_never_a_second_bos(llada: PreTrainedTokenizerFast) -> None:
    for task, end in ((TinyMath(), ""), (Begun(), "Here it is:")):
        ids = render(llada, task, DOCUMENT, [EXAMPLE], chat=True)
        assert ids.count(llada.bos_token_id) == 1
        assert ids[0] == llada.bos_token_id
        assert llada.decode(ids).endswith(f"<|start_header_id|>assistant<|end_header_id|>\n\n{end}")


def test_raw_keeps_the_tokenizers_own_bos(with_bos: PreTrainedTokenizerFast) -> None:
    ids = render(with_bos, TinyMath(), DOCUMENT, [], chat=False)
    assert ids.count(with_bos.bos_token_id) == 1


class BeginsWithBos(TinyMath):
    """As task.add_bos=true makes a task."""

    add_bos = True


@pytest.mark.parametrize("chat", [True, False], ids=["chat", "plain"])
def test_a_dream_prompt_begins_with_one_bos_if_the_task_asks_for_it(dream: Qwen2TokenizerFast, chat: bool) -> None:
    without, ids = (render(dream, task, DOCUMENT, [EXAMPLE], chat) for task in (TinyMath(), BeginsWithBos()))
    assert DREAM_BOS not in without
    assert ids == [DREAM_BOS, *without]
    # The scripts of Dream and of Fast-dLLM put the BOS before the text, and then tokenize.
    assert ids == dream.encode(dream.bos_token + dream.decode(without))
    assert dream.bos_token == "<|beginoftext|>"


@pytest.mark.parametrize("chat", [True, False], ids=["chat", "plain"])
def test_a_bos_that_is_there_is_not_repeated(llada: PreTrainedTokenizerFast, chat: bool) -> None:
    ids = render(llada, BeginsWithBos(), DOCUMENT, [], chat)
    assert ids == render(llada, TinyMath(), DOCUMENT, [], chat)
    assert ids.count(llada.bos_token_id) == 1


def test_a_tokenizer_without_a_bos_is_refused(with_bos: PreTrainedTokenizerFast) -> None:
    with_bos.bos_token = None
    with pytest.raises(ValueError, match=r"^task\.add_bos=true: tokenizer .* has no BOS token; pass task"):
        render(with_bos, BeginsWithBos(), DOCUMENT, [], chat=False)


def test_chat_without_a_template_is_refused(with_bos: PreTrainedTokenizerFast) -> None:
    with pytest.raises(ValueError, match=r"has no chat template; task\.chat=true expects one; .*task\.chat=false"):
        render(with_bos, TinyMath(), DOCUMENT, [], chat=True)


def test_hash_is_of_decimal_ids_joined_by_commas() -> None:
    assert sha256_of_ids([1, 22, 333]) == hashlib.sha256(b"1,22,333").hexdigest()
    assert sha256_of_ids([12, 3]) != sha256_of_ids([1, 23])
    assert sha256_of_ids([]) == hashlib.sha256(b"").hexdigest()


def test_hash_of_tensor_ids() -> None:
    torch = pytest.importorskip("torch")
    assert sha256_of_ids(torch.tensor([1, 22, 333])) == sha256_of_ids([1, 22, 333])


def test_response_ends_before_the_first_end_token(dream: Qwen2TokenizerFast) -> None:
    before, after = dream.encode("9 + 9 = 18 ."), dream.encode(" and more")
    ends = {DREAM_END, DREAM_TURN_END}
    assert response_text(dream, [*before, DREAM_TURN_END, DREAM_END, *after], ends) == "9 + 9 = 18 ."
    assert response_text(dream, [*before, DREAM_MASK, *after], ends) == "9 + 9 = 18 . and more"
    assert response_text(dream, [DREAM_END, *before], ends) == ""
    assert response_text(dream, [], ends) == ""


def test_a_responses_spaces_are_its_own(with_bos: PreTrainedTokenizerFast) -> None:
    # Some tokenizers ask for it, and not every version of transformers refuses.
    with_bos.clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output = True
    with_bos.clean_up_tokenization_spaces = True
    code = "print ( x , y ) . z ; it 's n't"
    assert response_text(with_bos, with_bos.encode(code, add_special_tokens=False), set()) == code
