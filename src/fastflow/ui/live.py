"""Open pages hear of what happens: one look at the events for all of them."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Callable, Collection, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from fastflow.kit.errors import FastFlowError

_log = logging.getLogger("fastflow.ui")

Listen = Callable[[], AsyncGenerator[bytes, None]]
_AGAIN_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class Happening:
    """Something happened to a run."""

    run_id: str
    pipeline_name: str
    kind: str


Hear = Callable[[Sequence[Happening]], None]
"""Takes what has happened; called in the event loop; must be quick. An empty sequence: some may have been missed."""


class Hub:
    """Reads the product's event stream once, for as long as any page listens.

    Args:
        listen: opens the stream.
    """

    def __init__(self, listen: Listen) -> None:
        self._listen = listen
        self._hearers: dict[object, Hear] = {}
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._hearers)

    def subscribe(self, hear: Hear) -> Callable[[], None]:
        """Begin to hear; call what is returned to end it."""
        key = object()
        self._hearers[key] = hear
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())  # noqa: TID251  # kept here, cancelled by the last to leave

        def leave() -> None:
            self._hearers.pop(key, None)
            if not self._hearers:
                self.close()

        return leave

    def close(self) -> None:
        """Stop reading. Pages may come again."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()

    async def _run(self) -> None:
        while self._hearers:
            try:
                async with aclosing(self._listen()) as blocks:
                    async for block in blocks:
                        happened = list(read_events(block))
                        if happened:
                            self._tell(happened)
            except FastFlowError as error:  # the database is away: look again
                _log.warning("ui.events_lost", extra={"fields": {"error": error.message}})
            await asyncio.sleep(_AGAIN_SECONDS)
            self._tell([])

    def _tell(self, happened: Sequence[Happening]) -> None:
        for hear in tuple(self._hearers.values()):
            hear(happened)


def read_events(block: bytes) -> Iterator[Happening]:
    """What a piece of the event stream tells."""
    for event in block.split(b"\n\n"):
        for line in event.splitlines():
            if line.startswith(b"data: "):
                data = json.loads(line[6:])
                yield Happening(run_id=data["run_id"], pipeline_name=data["pipeline_name"], kind=data["kind"])


def concerns(
    happened: Sequence[Happening], *, run_id: str | None, pipeline_name: str | None, kinds: Collection[str] | None
) -> bool:
    """Whether any of it is of the run, of the pipeline and of one of the kinds; None: any."""
    return not happened or any(
        (run_id is None or each.run_id == run_id)
        and (pipeline_name is None or each.pipeline_name == pipeline_name)
        and (kinds is None or each.kind in kinds)
        for each in happened
    )
