"""Looks at the server's parts, each in a thread of its own and for so long only: a part that hangs is one that fails."""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from typing import Any

from fastflow.kit.errors import FastFlowError

logger = logging.getLogger(__name__)

Probe = Callable[[], Mapping[str, Any]]
"""Looks at one part and tells what it finds; `ok` says whether it works. A FastFlowError means it does not."""
PROBE_SECONDS = 3.0


class Looks:
    """Everybody who asks while a look is under way gets its outcome: a part that hangs holds one thread, never more.

    Args:
        probes: name of a part -> how to look at it.
        seconds: how long a look may take.
    """

    def __init__(self, probes: Mapping[str, Probe], seconds: float = PROBE_SECONDS) -> None:
        self._probes = dict(probes)
        self._seconds = seconds
        self._under_way: dict[str, Future[dict[str, Any]]] = {}
        self._lock = threading.Lock()

    async def look(self, names: Iterable[str] | None = None) -> dict[str, dict[str, Any]]:
        """What the parts say, all looked at together.

        Args:
            names: of the parts; None: all.
        """
        wanted = list(self._probes if names is None else names)
        found = await asyncio.gather(*(self._look_at(name) for name in wanted))
        return dict(zip(wanted, found, strict=True))

    async def _look_at(self, name: str) -> dict[str, Any]:
        with self._lock:
            look = self._under_way.get(name)
            if look is None or look.done():
                look = self._under_way[name] = Future()
                look.set_running_or_notify_cancel()  # who stops waiting for it does not undo it for the others
                threading.Thread(target=self._probe, args=(name, look), name=f"look-{name}", daemon=True).start()
        try:
            return await asyncio.wait_for(asyncio.wrap_future(look), self._seconds)
        except TimeoutError:
            return {
                "ok": False,
                "problem": f"No answer within {self._seconds:g} s.",
                "hint": "Whatever it waits for (a disk, the network, the database) hangs, or the machine is overloaded.",
            }

    def _probe(self, name: str, look: Future[dict[str, Any]]) -> None:
        try:
            look.set_result(dict(self._probes[name]()))
        except FastFlowError as error:
            look.set_result({"ok": False, "problem": error.message, "hint": error.hint})
        except Exception:
            logger.exception("health.look_failed", extra={"fields": {"part": name}})
            look.set_result({"ok": False, "problem": "It could not be looked at; the server's log says why."})
