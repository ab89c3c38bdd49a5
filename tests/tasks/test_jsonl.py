"""Local data sets that are broken, through the task that reads them: every error says where and what to do."""

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ssd.tasks import jsonl
from ssd.tasks.gsm8k import GSM8K

GOOD = json.dumps({"question": "How many?", "answer": "#### 18"})


@pytest.fixture
def two_lines(tmp_path: Path) -> Callable[[bytes], str]:
    def write(second: bytes) -> str:
        path = tmp_path / "local.jsonl"
        path.write_bytes(GOOD.encode() + b"\n" + second)
        return str(path)

    return write


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (b'{"question": ', r"local\.jsonl line 2 is not JSON"),
        (b'\xff\xfe{"question"', r"local\.jsonl line 2 is not JSON"),
        (b"[" * 100_000, r"local\.jsonl line 2 is not JSON \(maximum recursion depth"),
        (b"[1]", r"local\.jsonl line 2 holds list; expected a JSON object"),
        (b"\n" + b'{"problem": "?"}', r"local\.jsonl line 3 has no field 'question' \(it has problem\)"),
        (b"{}", r"local\.jsonl line 2 has no field 'question' \(it has no fields\)"),
        (b'{"question": " ", "answer": "#### 1"}', r"local\.jsonl line 2: field 'question' is ' '"),
        (b'{"question": "?", "answer": 18}', r"local\.jsonl line 2: field 'answer' is 18; expected a non-empty string"),
        (b'{"question": "?", "answer": "18"}', r"local\.jsonl line 2: field 'answer' ends '18'; .*'#### N'"),
    ],
)
def test_malformed_lines_are_named(two_lines: Callable[[bytes], str], second: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        GSM8K(path=two_lines(second)).documents(1)
    assert "\n" not in str(caught.value)


def test_blank_lines_byte_order_mark_and_exotic_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "local.jsonl"
    row = json.dumps({"question": "a\u2028b\x85c", "answer": "#### 1"}, ensure_ascii=False)
    path.write_bytes(b"\xef\xbb\xbf" + f"\r\n{row}\r\n\r\n".encode())
    assert [document.question for document in GSM8K(path=str(path)).documents(None)] == ["a\u2028b\x85c"]


def test_a_list_is_read_like_lines(tmp_path: Path) -> None:
    rows = [{"question": "How many?", "answer": "#### 18"}, {"question": "And now?", "answer": "#### 19"}]
    listed, lined = tmp_path / "local.json", tmp_path / "local.jsonl"
    listed.write_text(json.dumps(rows, indent=2))
    lined.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    assert GSM8K(path=str(listed)).documents(None) == GSM8K(path=str(lined)).documents(None)
    for content, message in (
        ("{}", r"local\.json holds dict; expected a list of objects; pass another task\.path=FILE"),
        ("[1]", r"local\.json item 1 holds int; expected a JSON object"),
        ('[{"question": "?"}]', r"local\.json item 1 has no field 'answer'"),
        ("[", r"local\.json is not JSON"),
        ("[]", r"local\.json is empty"),
    ):
        listed.write_text(content)
        with pytest.raises(ValueError, match=message):
            GSM8K(path=str(listed)).documents(None)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError,
        match=r"task\.path=.*absent\.jsonl does not exist; pass an existing .*task\.path=null for the Hub",
    ):
        GSM8K(path=str(tmp_path / "absent.jsonl")).documents(None)
    with pytest.raises(FileNotFoundError, match=r"task\.fewshot_path=.*absent\.jsonl does not exist"):
        GSM8K(fewshot_path=str(tmp_path / "absent.jsonl")).fewshot(1)
    with pytest.raises(ValueError, match=r"task\.path=test\.parquet .*expected a \.jsonl, \.jsonl\.gz"):
        GSM8K(path="test.parquet").documents(None)
    (tmp_path / "folder.jsonl").mkdir()
    with pytest.raises(ValueError, match="is a folder; expected a file"):
        GSM8K(path=str(tmp_path / "folder.jsonl")).documents(None)
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(ValueError, match=r"empty\.jsonl is empty; expected one JSON object per line"):
        GSM8K(path=str(tmp_path / "empty.jsonl")).documents(None)
    (tmp_path / "torn.jsonl.gz").write_bytes(gzip.compress(GOOD.encode())[:-9])
    with pytest.raises(ValueError, match=r"torn\.jsonl\.gz is not a whole gzip file"):
        GSM8K(path=str(tmp_path / "torn.jsonl.gz")).documents(None)
    (tmp_path / "plain.jsonl.gz").write_text(GOOD)
    with pytest.raises(ValueError, match=r"plain\.jsonl\.gz is not a whole gzip file"):
        GSM8K(path=str(tmp_path / "plain.jsonl.gz")).documents(None)


def test_pipes_and_devices_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    (tmp_path / "device.json").symlink_to("/dev/zero")
    for name in ("pipe.jsonl", "device.json"):
        with pytest.raises(ValueError, match=rf"task\.path=.*{name} is a pipe or a device; expected a file; pass"):
            GSM8K(path=str(tmp_path / name)).documents(None)


@pytest.mark.parametrize("name", ["large.jsonl.gz", "large.jsonl", "large.json"])
def test_a_file_is_read_up_to_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A small gzip file may hold gigabytes: no more than the limit is unpacked."""
    chunk_bytes, unpacked_bytes = jsonl._CHUNK_BYTES, 8 * jsonl._CHUNK_BYTES
    monkeypatch.setattr(jsonl, "MOST_MIB", 2)
    content = b" " * unpacked_bytes
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    read: list[int] = []
    monkeypatch.setattr(gzip.GzipFile, "read", _counted(gzip.GzipFile.read, read))
    with pytest.raises(ValueError, match=rf"task\.path=.*{name} holds more than 2 MiB of text; .*; pass a part of it"):
        GSM8K(path=str(tmp_path / name)).documents(None)
    assert sum(read) <= (2 << 20) + chunk_bytes


def _counted(method: Callable[..., bytes], sizes: list[int]) -> Callable[..., bytes]:
    def call(*arguments: Any) -> bytes:
        data = method(*arguments)
        sizes.append(len(data))
        return data

    return call


def test_other_failures_of_the_disk_keep_their_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, mode: str) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    (tmp_path / "secret.jsonl").touch()
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(PermissionError, match=r"task\.path=.*cannot be read \(Permission denied\); pass a readable"):
        GSM8K(path=str(tmp_path / "secret.jsonl")).documents(None)
