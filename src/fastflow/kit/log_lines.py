"""The server's own log: one line per event, an event name and its fields, as text or as JSON.

    2026-11-21T04:35:18.123Z INFO web server.ready url=http://127.0.0.1:8000
    {"time": "2026-11-21T04:35:18.123Z", "level": "INFO", "process": "web", "logger": "fastflow.web", "message": …}

Code logs with `logger.info("server.ready", extra={"fields": {"url": url}})`.
"""

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final, Literal, TextIO

from fastflow.kit.addresses import without_credentials

_TALKATIVE = ("alembic", "asyncio", "httpx", "uvicorn")
"""Libraries that report what they do; their warnings are wanted, their progress is not."""


REQUEST_ID: Final[ContextVar[str | None]] = ContextVar("fastflow_request_id", default=None)
"""Of the request that is answered; every event on the way to the answer carries it."""


class _Formatter(logging.Formatter):
    """Knows which process of the server speaks: web, runner."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process


class LineFormatter(_Formatter):
    """Time, level, process and event, then `key=value` fields; a traceback follows on lines of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """One log line."""
        at, fields = _time(record), _fields(record)
        message = record.getMessage().replace("\n", "\\n")
        line = " ".join(
            [at, record.levelname, self._process, message, *(f"{k}={_shown(v)}" for k, v in fields.items())]
        )
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return without_credentials(line)


class JsonFormatter(_Formatter):
    """One JSON object on one line: `time`, `level`, `process`, `logger`, `message`, the event's own fields beside them, and
    `exception` with the traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """One log line."""
        told: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname,
            "process": self._process,
            "logger": record.name,
            "message": record.getMessage(),
        }
        for name, value in _fields(record).items():
            told[f"{name}_" if name in told else name] = value
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return without_credentials(json.dumps(told, ensure_ascii=False, default=str))


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    fields = dict(getattr(record, "fields", None) or {})
    request_id = REQUEST_ID.get()
    return fields if request_id is None else {**fields, "request_id": request_id}


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else str(value)
    if text and not any(character in text for character in ' "=\n\r\t') and text.isprintable():
        return text
    return json.dumps(text, ensure_ascii=False)


def configure_logging(
    process: str, level: str = "INFO", form: Literal["text", "json"] = "text", stream: TextIO | None = None
) -> None:
    """Send every logger of this process to `stream` (None: stderr) as such lines."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter(process) if form == "json" else LineFormatter(process))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(True)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)  # a lost connection cannot be closed: no news
