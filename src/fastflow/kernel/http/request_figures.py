"""Counts the requests of this process: how many, and how long each took to begin its answer. By the path's template, never by
the path itself, so that what callers send cannot make new series."""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds; upper bounds of the classes."""
NO_ROUTE: Final = "none"
"""In place of a template: no path of ours, or refused before it was looked up."""
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


@dataclass
class Times:
    """How long answers took to begin.

    Attributes:
        counts: one for each class, the last without a bound.
        sum: of all seconds.
    """

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    sum: float = 0.0


class RequestFigures:
    """What was counted since the process began. Written by its event loop alone; may be read from any thread."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, str, str], int] = {}
        self._times: dict[tuple[str, str], Times] = {}

    def count(self, route: str, method: str, status: int, seconds: float) -> None:
        """Take an answer that begins now."""
        key = (route, method, f"{status // 100}xx")
        self._answers[key] = self._answers.get(key, 0) + 1
        times = self._times.get((route, method))
        if times is None:
            times = self._times[route, method] = Times()
        times.counts[bisect_left(BOUNDS, seconds)] += 1
        times.sum += seconds

    @property
    def answers(self) -> Mapping[tuple[str, str, str], int]:
        """Route, method and class of the status -> how many."""
        return dict(self._answers)

    @property
    def times(self) -> Mapping[tuple[str, str], Times]:
        """Route and method -> how long until the answer began."""
        return {key: Times(list(times.counts), times.sum) for key, times in list(self._times.items())}


class CountedRequests:
    """Counts every answer as its head goes out. Pure ASGI, so that streams pass through untouched.

    Args:
        figures: take what is counted.
    """

    def __init__(self, app: ASGIApp, figures: RequestFigures) -> None:
        self.app = app
        self._figures = figures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = perf_counter()

        async def send_counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", NO_ROUTE)
                method = scope["method"] if scope["method"] in _METHODS else "other"
                self._figures.count(route, method, message["status"], perf_counter() - began)
            await send(message)

        await self.app(scope, receive, send_counted)
