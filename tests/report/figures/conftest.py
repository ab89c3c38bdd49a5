"""Results to draw: of one run, of a campaign, of none; made once, since figures only read them."""

from itertools import product

import pytest

from ssd.report.results import Results, load
from tests.report.synthetic import write_results, write_run


@pytest.fixture(scope="session")
def one_run(tmp_path_factory: pytest.TempPathFactory) -> Results:
    root = tmp_path_factory.mktemp("one")
    write_run(root, "ssd", prompts=3, traces=True, chain=True)
    return load(root)


@pytest.fixture(scope="session")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Eight decoders in two groups, a grid of trees, hops, other machines, untimed and broken runs."""
    root = tmp_path_factory.mktemp("campaign")
    write_results(root, prompts=4)
    write_run(root, "fast_dllm", options={"threshold": 0.5}, prompts=4)
    return load(root)


@pytest.fixture(scope="session")
def long_names(tmp_path_factory: pytest.TempPathFactory) -> Results:
    root = tmp_path_factory.mktemp("long")
    model = "a_model_whose_name_goes_on_and_on_for_longer_than_a_column"
    for decoder in ("ssd", "a_decoder_with_a_name_that_nobody_would_choose_for_a_paper"):
        for depth, word in product((2, 4), "ab"):
            options = {"depth": depth, "width": 1, "builder": "kary", "an_option_with_a_long_name": word * 30}
            options["lossless"] = decoder == "ssd"
            write_run(root, decoder, model, "a task of many words " * 4, options=options, prompts=3, traces=True)
    return load(root)


@pytest.fixture(scope="session")
def untimed(tmp_path_factory: pytest.TempPathFactory) -> Results:
    root = tmp_path_factory.mktemp("untimed")
    for depth, width in ((1, 1), (1, 2), (2, 1)):
        options = {"depth": depth, "width": width, "builder": "kary"}
        write_run(root, "ssd", options=options, prompts=3, timed=False, traces=depth == 1)
    for threshold in (0.5, 0.9):
        write_run(root, "fast_dllm", options={"threshold": threshold}, prompts=3, timed=False)
    return load(root)


@pytest.fixture(scope="session")
def nothing(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return load(tmp_path_factory.mktemp("nothing"))
