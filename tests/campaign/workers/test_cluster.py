"""What workers need, and what is refused: without Ray, which none of this starts."""

import sys

import pytest

from ssd.campaign.workers.cluster import Needs, import_ray, size
from ssd.campaign.workers.messages import Failed
from ssd.campaign.workers.worker import _portable, refuse_other_circumstances, refuse_other_source
from ssd.config.plan import make_plan
from tests.runs import composed


@pytest.mark.parametrize(
    ("needs", "resources", "workers"),
    [
        (Needs(False, 1, None, None), {"CPU": 2.0}, 2),
        (Needs(False, 4, None, None), {"CPU": 11.0, "GPU": 8.0}, 2),
        (Needs(False, 1, 1, None), {"CPU": 2.0}, 1),
        (Needs(True, 1, None, None), {"CPU": 64.0, "GPU": 8.0}, 8),
        (Needs(True, 16, None, None), {"CPU": 64.0, "GPU": 8.0}, 4),
    ],
)
def test_as_many_workers_as_are_asked_for_or_have_room(needs, resources, workers):
    assert size(needs, resources) == workers


@pytest.mark.parametrize(
    ("needs", "resources", "message"),
    [
        (Needs(False, 2, 4, None), {"CPU": 4.0}, r"runtime.workers=4: there is room for 2 workers with 2 cores each"),
        (Needs(True, 1, 2, None), {"CPU": 8.0, "GPU": 1.0}, r"room for 1 workers with a GPU and 1 cores each"),
        (Needs(True, 1, None, None), {"CPU": 8.0}, r"runtime.workers=None: there is room for 0 workers"),
    ],
)
def test_more_workers_than_there_is_room_for_are_refused(needs, resources, message):
    with pytest.raises(ValueError, match=message):
        size(needs, resources)


def test_without_ray_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "ssd-benchmark\[ray\]", or pass runtime.workers=0'):
        import_ray()


def test_the_group_ray_is_the_default_with_workers():
    default, ray = (make_plan(composed(*words)).config["runtime"] for words in ((), ("runtime=ray",)))
    assert {key for key in default if default[key] != ray[key]} == {"workers"}
    assert (default["workers"], ray["workers"]) == (0, None)
    assert Needs.of(make_plan(composed("runtime=ray", "runtime.threads=3"))) == Needs(False, 3, None, None)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["runtime.workers=-1"], "runtime.workers=-1: expected a whole number of at least 0 or null"),
        (["runtime.timing=no"], "runtime.timing=no: expected true or false"),
        (["runtime.address=auto"], "runtime.address=auto with runtime.workers=0: nothing is sent to a cluster"),
        (["runtime=ray", "runtime.address=7"], "runtime.address=7: expected a path or a name"),
    ],
)
def test_options_that_cannot_be(words, message):
    with pytest.raises(ValueError, match=message):
        make_plan(composed(*words))


def test_a_worker_under_other_circumstances_is_refused():
    here = dict.fromkeys(
        (
            *("python", "libraries", "device", "device_name", "threads", "attention_backend", "commit", "changes"),
            "checkpoint",
        ),
        "same",
    )
    refuse_other_circumstances(here, {**here, "platform": "another"})
    with pytest.raises(ValueError, match=r"a worker on .* \(device_name: same → H200\); use workers on equal devices"):
        refuse_other_circumstances(here, {**here, "device_name": "H200"})


def test_a_worker_with_another_source_of_the_decoder_is_refused_by_file():
    plan = make_plan(composed("decoder=stepwise"))
    refuse_other_source(plan)
    plan.config["decoder"]["source_sha256"] = "0"
    with pytest.raises(ValueError, match=r"another source of the decoder \(.*baselines/stepwise\.py\); copy the files"):
        refuse_other_source(plan)


class UnportableError(Exception):
    def __init__(self, left: str, right: str) -> None:
        super().__init__(f"{left} {right}")


def test_every_error_finds_its_way_back():
    error = ValueError("as it is")
    assert _portable(error) is error
    assert str(_portable(UnportableError("two", "words"))) == "UnportableError: two words"
    assert Failed(error, "text").error is error
