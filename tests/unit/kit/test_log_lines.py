"""A log event is one line, whatever its fields hold."""

import json
import logging
import sys

from fastflow.kit.log_lines import REQUEST_ID, JsonFormatter, LineFormatter
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


def _json(message: str, **fields: object) -> dict[str, object]:
    record = logging.makeLogRecord({"msg": message, "levelname": "INFO", "name": "fastflow.x", "fields": fields})
    line = JsonFormatter("web").format(record)
    assert "\n" not in line
    told = json.loads(line)
    assert isinstance(told, dict)
    return told


def test_json_when_an_event_is_logged_is_one_object_with_its_fields() -> None:
    told = _json("run.started\nat once", run_id="r1", seconds=1.5, level="high")
    assert str(told.pop("time")).endswith("Z")
    assert told == {
        "level": "INFO",
        "process": "web",
        "logger": "fastflow.x",
        "message": "run.started\nat once",
        "run_id": "r1",
        "seconds": 1.5,
        "level_": "high",
    }


def test_json_when_a_field_is_secret_or_of_no_json_type_is_text() -> None:
    told = _json("x", password=SecretText("hunter2"), what={1, 2})
    assert "hunter2" not in str(told) and isinstance(told["what"], str)


def test_json_when_something_was_raised_has_the_traceback_in_a_field() -> None:
    try:
        raise ValueError("lost")
    except ValueError:
        record = logging.makeLogRecord({"msg": "x", "exc_info": sys.exc_info()})
    line = JsonFormatter("web").format(record)
    assert "\n" not in line and "ValueError: lost" in json.loads(line)["exception"]


def test_event_when_logged_for_a_request_carries_its_id() -> None:
    token = REQUEST_ID.set("req-1")
    try:
        assert (_json("x")["request_id"], _line("x").split(" ")[-1]) == ("req-1", "request_id=req-1")
    finally:
        REQUEST_ID.reset(token)
    assert "request_id" not in _json("x")
