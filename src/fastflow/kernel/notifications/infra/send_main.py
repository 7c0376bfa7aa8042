"""The sending process: takes one message on stdin, hands it to Apprise, tells on stdout what became of it.

A process of its own, because Apprise costs 45 MB and a second to load, a plugin may hang where nothing in the same process
could stop it, and what it logs must not reach the server's log. It ends after one message.

    {"urls": [...], "title": "...", "body": "...", "kind": "failure", "send": true}
 -> [{"ok": true, "why": ""}, ...]
"""

import contextlib
import io
import json
import logging
import sys
from typing import Any

_KINDS = ("info", "success", "warning", "failure")


class _Captured(logging.Handler):
    """Keeps what Apprise reports of one attempt."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line."""
        self.lines.append(record.getMessage())


def deliver(wanted: dict[str, Any]) -> list[dict[str, Any]]:
    """What became of each address."""
    import apprise  # the weight this process is for

    captured = _Captured()
    logger = logging.getLogger("apprise")
    logger.handlers, logger.propagate = [captured], False
    results: list[dict[str, Any]] = []
    for url in wanted["urls"]:
        captured.lines = []
        plugin = apprise.Apprise.instantiate(url, suppress_exceptions=True)
        if plugin is None:
            told = captured.lines[-1] if captured.lines else "the address is not one that Apprise knows"
            results.append({"ok": False, "why": told, "unusable": True})
            continue
        ok = True
        if wanted["send"]:
            kind = wanted["kind"] if wanted["kind"] in _KINDS else "info"
            ok = bool(plugin.notify(body=wanted["body"], title=wanted["title"], notify_type=kind, body_format="text"))
        why = "" if ok else captured.lines[-1] if captured.lines else "the service did not take it"
        results.append({"ok": ok, "why": why, "unusable": False})
    return results


def main() -> int:
    """Serve one message."""
    wanted = json.loads(sys.stdin.read())
    with contextlib.redirect_stdout(io.StringIO()):  # a plugin that prints must not spoil the answer
        results = deliver(wanted)
    sys.stdout.write(json.dumps(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
