"""Sending an answer of unknown length until it ends or the client goes, whichever is first."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from starlette.types import Receive


async def run_until_disconnect(sending: Coroutine[Any, Any, None], receive: Receive) -> None:
    """Run `sending`; cancel it as soon as the client has gone. Servers drop what is sent to nobody without a word, so
    that a long answer would otherwise be made to its end."""
    sender = asyncio.create_task(sending)  # noqa: TID251  # both are awaited below
    watcher = asyncio.create_task(_disconnected(receive))  # noqa: TID251
    try:
        await asyncio.wait((sender, watcher), return_when=asyncio.FIRST_COMPLETED)
    finally:
        sender.cancel()
        watcher.cancel()
        results = await asyncio.gather(sender, watcher, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue
