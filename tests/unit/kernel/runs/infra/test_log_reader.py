import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastflow.kernel.runs.infra import log_reader
from fastflow.kernel.runs.infra.log_reader import (
    LogFile,
    find_tail,
    line_end,
    line_start,
    read_blocks,
    read_lines_backwards,
)

HEAD = b"2026-11-21T04:35:18.123456789Z stdout F "


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_reader, "BLOCK_BYTES", 16)
    monkeypatch.setattr(log_reader, "BACKWARD_BLOCK_BYTES", 7)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.binary(max_size=30).map(lambda data: data.replace(b"\n", b"")), max_size=12), st.booleans())
def test_blocks_and_lines_when_read_either_way_then_they_are_the_file(
    tmp_path: Path, rows: list[bytes], ends: bool
) -> None:
    data = b"\n".join(rows) + (b"\n" if ends and rows else b"")
    (tmp_path / "log").write_bytes(data)
    descriptor = os.open(tmp_path / "log", os.O_RDONLY)
    try:
        blocks = list(read_blocks(descriptor, 0, len(data)))
        backwards = list(read_lines_backwards(descriptor, 0, len(data)))
        starts = [line_start(descriptor, offset) for offset in range(len(data))]
        stops = [line_end(descriptor, offset, len(data)) for offset in range(1, len(data) + 1)]
    finally:
        os.close(descriptor)
    assert b"".join(block for _, block in blocks) == data
    assert all(block.endswith(b"\n") for _, block in blocks[:-1])
    expected = data.split(b"\n")[: -1 if data.endswith(b"\n") or not data else None]
    assert [line for _, line in reversed(backwards)] == expected
    assert all(data[at : at + len(line)] == line for at, line in backwards)
    assert starts == [data.rfind(b"\n", 0, offset) + 1 for offset in range(len(data))]
    assert stops == [(data.find(b"\n", offset - 1) + 1) or len(data) for offset in range(1, len(data) + 1)]


def test_tail_when_the_log_is_shorter_then_it_begins_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(HEAD + b"only\n")
    log = LogFile(tmp_path / "log", ended=True)
    assert find_tail(log.descriptor, 0, log.end, 10) == (0, 0)
    assert find_tail(log.descriptor, 0, log.end, 10, "stderr") == (log.end, log.end)
    log.close()


def test_log_file_when_there_is_none_then_that_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        LogFile(tmp_path / "none", ended=False)


def test_line_start_when_asked_about_an_offset_then_it_is_known(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"ab\ncd\n")
    log = LogFile(tmp_path / "log", ended=True)
    assert [offset for offset in range(7) if log.is_line_start(offset)] == [0, 3, 6]
    log.close()
    log.close()
