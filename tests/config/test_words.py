"""Words of a command line that are refused before anything is composed."""

import pytest

from ssd.cli import main
from ssd.config.words import check_each_word


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["decoder.depth=2", "decoder.depth=4"],
            "decoder.depth is given twice, as 2 and 4; pass it once, or a grid with",
        ),
        (["-m", "decoder=ssd", "task=mbpp", "decoder=apd"], "decoder is given twice, as ssd and apd; pass it once, or"),
        (
            ["+model.x=1", "++model.x=1"],
            "model.x is given twice, as 1 and 1; pass it once, or a grid with -m model.x=1,1",
        ),
        (
            ["decoder.depth=\x01"],
            r"'decoder.depth=\x01': '\x01' is a control character; type the word again without it",
        ),
        (["results_dir='a\x1bb'"], "'\\x1b' is a control character; type the word again without it"),
        (["--config-dir", "a\nb"], r"'a\nb': '\n' is a control character; type the word again without it"),
    ],
)
def test_one_line_says_what_is_wrong(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", *words]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("error: ")
    assert error.count("\n") == 1


def test_options_of_one_value_each_pass() -> None:
    check_each_word(["-m", "decoder=ssd", "decoder.depth=2,4", "~preset", "+preset=llada_gsm8k", "--config-dir", "a=b"])
