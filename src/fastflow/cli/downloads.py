"""Files that a server sends, put in their place when they are whole."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastflow.kit.errors import Conflict

if TYPE_CHECKING:
    from fastflow.cli.client import Api


def require_free(target: Path) -> None:
    """Raises:
    Conflict: there is something of that name.
    """
    if target.exists():
        raise Conflict(f"{target} is there already.", code="file_exists", hint="Name another file, or move it away.")


async def fetch_into(
    api: "Api",
    target: Path,
    method: str,
    path: str,
    *,
    query: Mapping[str, str] | None = None,
    body: Mapping[str, Any] | None = None,
) -> int:
    """Write the body of an answer into a file; a broken one leaves nothing behind. The bytes written."""
    unfinished, count = target.with_name(f".{target.name}.unfinished"), 0
    try:
        with unfinished.open("wb") as file:
            async with api.open(method, path, query=query, body=body) as answer:
                async for piece in answer.aiter_bytes():
                    count += file.write(piece)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
    return count
