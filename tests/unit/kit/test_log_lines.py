"""A log event is one line, whatever its fields hold."""

import logging

from fastflow.kit.log_lines import LineFormatter
from fastflow.kit.secret_text import SecretText


def _line(message: str, **fields: object) -> str:
    record = logging.makeLogRecord({"msg": message, "levelname": "INFO", "fields": fields})
    return LineFormatter("web").format(record)


def test_event_when_logged_is_time_level_process_name_and_fields() -> None:
    line = _line("run.started", run_id="r1", seconds=1.5)
    assert line.split(" ", 1)[1] == "INFO web run.started run_id=r1 seconds=1.5"
    assert line[10] == "T"
    assert line.split(" ", 1)[0].endswith("Z")


def test_field_when_it_could_forge_a_line_is_quoted() -> None:
    line = _line("x", user='a "b"\n2026 INFO web fake', empty="", key="a=b")
    assert "\n" not in line
    assert r'user="a \"b\"\n2026 INFO web fake" empty="" key="a=b"' in line


def test_field_when_secret_shows_stars() -> None:
    assert "hunter2" not in _line("x", password=SecretText("hunter2"))
