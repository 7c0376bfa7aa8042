"""The server's own log: one line per event, an event name and its fields.

    2026-11-21T04:35:18.123Z INFO web server.ready url=http://127.0.0.1:8000

Code logs with `logger.info("server.ready", extra={"fields": {"url": url}})`.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TextIO

_TALKATIVE = ("alembic", "asyncio", "httpx", "uvicorn")
"""Libraries that report what they do; their warnings are wanted, their progress is not."""


class LineFormatter(logging.Formatter):
    """Time, level, process and event, then `key=value` fields; a traceback follows on lines of its own.

    Args:
        process: which process of the server speaks: web, runner.
    """

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """One log line."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        fields = getattr(record, "fields", None) or {}
        message = record.getMessage().replace("\n", "\\n")
        line = " ".join(
            [at, record.levelname, self._process, message, *(f"{k}={_shown(v)}" for k, v in fields.items())]
        )
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else str(value)
    if text and not any(character in text for character in ' "=\n\r\t') and text.isprintable():
        return text
    return json.dumps(text, ensure_ascii=False)


def configure_logging(process: str, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send every logger of this process to `stream` (None: stderr) as such lines."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(LineFormatter(process))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(True)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)  # a lost connection cannot be closed: no news
