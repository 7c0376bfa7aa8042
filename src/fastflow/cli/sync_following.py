"""Following syncs to their end: on the server that works on them, else carried out in this process."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import typer

from fastflow.cli.client import Api, part
from fastflow.cli.event_stream import Event, read_events
from fastflow.cli.output import printable
from fastflow.cli.running import is_runner_at_work


def follow_syncs(api: Api, asked: Sequence[Mapping[str, Any]], *, is_quiet: bool) -> list[dict[str, Any]]:
    """Tell on stderr how they go, one after the other; the syncs when they have ended."""
    is_here = api.local is not None and not is_runner_at_work(api.local.settings.data_dir)
    return [api.run(_follow(api, one, is_quiet=is_quiet, is_here=is_here)) for one in asked]


async def _follow(api: Api, sync: Mapping[str, Any], *, is_quiet: bool, is_here: bool) -> dict[str, Any]:
    path = f"/sync/history/{part(sync['id'])}"
    working = asyncio.create_task(_work(api, sync["id"])) if is_here else None  # noqa: TID251 - awaited below
    try:
        async with api.open("GET", f"{path}/events") as answer:
            async for events in read_events(answer.aiter_bytes()):
                for event in events:
                    if not is_quiet:
                        _tell(sync["repository"], event)
        if working is not None:
            await working
    finally:
        if working is not None:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
    ended: dict[str, Any] = await api.call("GET", path)
    return ended


async def _work(api: Api, sync_id: str) -> None:
    await api.local.make_syncer().work_off(sync_id)


def _tell(repository: str, event: Event) -> None:
    text = _words(event.kind, event.data)
    if text:
        typer.echo(printable(f"[{repository}] {text}"), err=True)


def _words(kind: str, data: Mapping[str, Any]) -> str | None:
    if kind in ("step", "note"):
        return str(data["text"])
    if kind == "line":
        return f"  {data['pipeline']}: {data['line']}"
    if kind == "pipeline":
        why = f": {data['why']}" if data.get("why") else ""
        return f"  {data['pipeline']}: {data['state']}{why}"
    return None
