"""Sends through Apprise, in a process that is started for it and ends with it."""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from fastflow.kernel.notifications.domain.channel import fingerprint
from fastflow.kernel.notifications.domain.message import Message
from fastflow.kernel.notifications.domain.rule import Severity
from fastflow.kernel.notifications.ports import Delivery
from fastflow.kit.secret_text import SecretText

ATTEMPT_SECONDS: Final = 90.0
_MODULE: Final = "fastflow.kernel.notifications.infra.send_main"
_KINDS: Final = {Severity.INFO: "info", Severity.WARNING: "warning", Severity.CRITICAL: "failure"}
_SHORTEST_SECRET: Final = 4
_MAX_WHY: Final = 300


class AppriseSender:
    """See `ports.Sender`.

    Args:
        seconds: after which an attempt is given up and its process ended.
    """

    def __init__(self, *, seconds: float = ATTEMPT_SECONDS) -> None:
        self._seconds = seconds
        self._active: set[subprocess.Popen[str]] = set()
        self._is_closed = False
        self._lock = threading.Lock()

    def send(self, urls: Sequence[SecretText], message: Message, severity: Severity) -> Delivery:
        """See `Sender.send`."""
        wanted = {"title": message.title, "body": message.body, "kind": _KINDS[severity], "send": True}
        results = self._ask(urls, wanted)
        if isinstance(results, str):
            return Delivery(delivered=(), problem=results)
        taken = tuple(fingerprint(url.reveal()) for url, told in zip(urls, results, strict=True) if told["ok"])
        problems = [
            f"{_kind(url)}: {mask(str(told['why']), urls)}"
            for url, told in zip(urls, results, strict=True)
            if not told["ok"]
        ]
        return Delivery(delivered=taken, problem="; ".join(problems) or None)

    def check(self, urls: Sequence[SecretText]) -> Mapping[int, str]:
        """See `Sender.check`."""
        results = self._ask(urls, {"title": "", "body": "", "kind": "info", "send": False})
        if isinstance(results, str):
            return dict.fromkeys(range(len(urls)), results)
        return {
            place: f"Apprise cannot use it ({mask(str(told['why']), urls)})"
            for place, told in enumerate(results)
            if told["unusable"]
        }

    def close(self) -> None:
        """See `Sender.close`."""
        with self._lock:
            self._is_closed = True
            active = list(self._active)
        for process in active:
            process.kill()

    def _ask(self, urls: Sequence[SecretText], wanted: Mapping[str, Any]) -> list[dict[str, Any]] | str:
        """The process's answer, or in words why there is none."""
        data = json.dumps({**wanted, "urls": [url.reveal() for url in urls]})
        with self._lock:
            if self._is_closed:
                return "the server is being stopped"
            process = subprocess.Popen(
                [sys.executable, "-m", _MODULE],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                start_new_session=True,
            )
            self._active.add(process)
        try:
            with process:
                answer = self._talk(process, data)
        finally:
            with self._lock:
                self._active.discard(process)
        if answer is None:
            return f"no answer within {self._seconds:g} s"
        try:
            results: list[dict[str, Any]] = json.loads(answer)
        except ValueError:
            return f"the sending process ended with code {process.returncode}"
        return results

    def _talk(self, process: subprocess.Popen[str], data: str) -> str | None:
        try:
            return process.communicate(data, timeout=self._seconds)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return None


def mask(text: str, urls: Sequence[SecretText]) -> str:
    """The text without any part of an address that may be a credential.

    >>> mask("login of bob with hunter22 failed at smtp.example.org", [SecretText("mailto://bob1:hunter22@smtp.example.org")])
    'login of bob with *** failed at smtp.example.org'
    """
    for secret in sorted({part for url in urls for part in _parts(url.reveal())}, key=len, reverse=True):
        text = text.replace(secret, "***")
    return " ".join(text.split())[:_MAX_WHY]


def _parts(url: str) -> set[str]:
    """What may be secret in an address: user, password, every part of its path and the values of its query."""
    try:
        split = urlsplit(url)
        pieces = [split.username or "", split.password or "", *split.path.split("/")]
        pieces += [value for each in split.query.split("&") for value in each.split("=", 1)[1:]]
        host = split.hostname or ""
    except ValueError:
        pieces, host = re.split(r"[/:@?&=]+", url), ""
    found = {form for piece in pieces for form in (piece, unquote(piece)) if len(form) >= _SHORTEST_SECRET}
    if host and "." not in host and host != "localhost":
        found.add(host)  # several services put a token in its place
    return found


def _kind(url: SecretText) -> str:
    return url.reveal().partition("://")[0][:40].lower()
