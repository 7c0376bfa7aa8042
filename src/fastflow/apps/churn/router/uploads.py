"""Bodies that are files: taken to the disk piece by piece, never into memory."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

FILE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
"""`openapi_extra` of an operation whose body is a file."""


@asynccontextmanager
async def received(request: Request, folder: Path) -> AsyncIterator[Path]:
    """The body as a file in a folder of its own below `folder`, gone when the block is left."""
    await run_in_threadpool(folder.mkdir, parents=True, exist_ok=True, mode=0o700)
    with TemporaryDirectory(prefix="upload-", dir=folder) as place:
        path = Path(place) / "body"
        with path.open("wb") as file:
            async for piece in request.stream():
                await run_in_threadpool(file.write, piece)
        yield path
