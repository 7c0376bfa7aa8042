"""The files that a run left: listed, and fetched into a folder."""

import hashlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import typer

from fastflow.cli.client import Api, part
from fastflow.cli.output import local_time, print_table, printable
from fastflow.kit.errors import Conflict, Unavailable
from fastflow.kit.quantities import size
from fastflow.kit.words import counted


def list_artifacts(api: Api, run_id: str) -> Mapping[str, Any]:
    """What the run left, as the API tells it."""
    found: Mapping[str, Any] = api.get(f"/runs/{part(run_id)}/artifacts")
    return found


def print_artifacts(items: Sequence[Mapping[str, Any]]) -> None:
    """The files as a table."""
    print_table(
        items,
        [
            ("path", lambda item: item["path"]),
            ("size", lambda item: size(item["size_bytes"])),
            ("made", lambda item: local_time(item["created_at"])),
            ("sha256", lambda item: item["sha256"][:16]),
        ],
        empty="No artifacts: the run left no file in $FASTFLOW_ARTIFACTS, or has not ended yet.",
    )


def download_artifacts(api: Api, items: Sequence[Mapping[str, Any]], folder: Path) -> None:
    """Fetch every file into the folder, below its own path; a file appears there once it is whole.

    Raises:
        Conflict: another file of that name is there.
        Unavailable: what came is not what the run left, or it cannot be written.
    """
    for item in items:
        target = folder / _inside(item["path"])
        if target.exists():
            _require_same(target, item["sha256"])
        else:
            _save(api, item, target)
        typer.echo(printable(str(target)))
    total = sum(item["size_bytes"] for item in items)
    sys.stdout.flush()
    typer.echo(f"{counted(len(items), 'artifact')} in {folder}, {size(total)}.", err=True)


def _require_same(target: Path, sha256: str) -> None:
    if not target.is_file() or _digest(target) != sha256:
        raise Conflict(
            f"{target} is there already, and is another file.",
            code="file_exists",
            hint="Give an empty folder, or move that file away.",
        )


def _save(api: Api, item: Mapping[str, Any], target: Path) -> None:
    try:
        api.run(_fetch(api, item, target))
    except OSError as error:
        raise Unavailable(
            f"{target} cannot be written: {error.strerror or error}.",
            code="folder_unusable",
            hint="Give a folder that this user may write and that has room.",
        ) from error


def _inside(path: str) -> PurePosixPath:
    """The path as one below the folder: what a server says must not lead elsewhere."""
    parts = [one for one in PurePosixPath(path).parts if one not in ("..", ".", "/")]
    return PurePosixPath(*parts)


async def _fetch(api: Api, item: Mapping[str, Any], target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.unfinished")
    digest = hashlib.sha256()
    try:
        with unfinished.open("wb") as file:
            async with api.open("GET", item["url"]) as answer:
                async for chunk in answer.aiter_bytes():
                    digest.update(chunk)
                    file.write(chunk)
        if digest.hexdigest() != item["sha256"]:
            raise Unavailable(
                f"What came of {item['path']} is not what the run left.", code="artifact_damaged", hint="Try it again."
            )
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
