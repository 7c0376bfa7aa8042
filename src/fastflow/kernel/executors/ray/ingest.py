"""Takes in what agents send, and tells them what the server wants of their runs.

The web process calls it; the runner sees what arrives as files (`folders.py`). Who speaks for an attempt shows a token of
that attempt alone, and is heard only while the run is still carried out under it.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fastflow.kernel.executors.port import RunKey
from fastflow.kernel.executors.ray import streams
from fastflow.kernel.executors.ray.errors import AttemptOver, AttemptTokenInvalid, AttemptUnknown, OrderTaken
from fastflow.kernel.executors.ray.folders import AttemptFolder, AttemptFolders, Claim, Note
from fastflow.kernel.executors.ray.order import decrypt, digest_of, is_token, session_token
from fastflow.kernel.executors.ray.watch import FolderWatch

Fence = Callable[[str, int], bool]
"""Of a run's id and an attempt's token: whether the run is being carried out as that attempt."""

FENCE_SECONDS = 5.0
"""How long an answer of the fence is trusted."""
LONGEST_WAIT_SECONDS = 25.0
MAX_SHELVES = 64
"""Runs whose artifacts are counted in memory while they arrive."""
_LOG_SLACK_BYTES = 1 << 20
"""What a log may hold beyond the size at which its supervisor cuts it: the kept end, and notes."""


class Ingest:
    """What agents may ask. Every method but `next_order` blocks and may be called from any thread.

    Args:
        folders: the attempts of this server.
        is_current: the fence.
        find_uv: the server's own uv, for nodes without one.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        folders: AttemptFolders,
        *,
        is_current: Fence,
        find_uv: Callable[[], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folders = folders
        self._is_current = is_current
        self._find_uv = find_uv
        self._clock = clock
        self._fenced: dict[RunKey, float] = {}
        self._shelves: dict[RunKey, streams.ArtifactShelf] = {}
        self._watch = FolderWatch()
        self._is_closing = False

    # -- the exchange ----------------------------------------------------------------------------------------------

    def claim(self, key: RunKey, token: str, *, nonce: str, submission: str, node: str) -> Mapping[str, Any]:
        """The order, and the token for everything that follows. Only the first who asks gets it; the same request may be
        repeated, an answer can get lost.

        Raises:
            AttemptUnknown, AttemptOver, AttemptTokenInvalid: it is not to be given out.
            OrderTaken: somebody else has it.
        """
        folder, note = self._find(key)
        if not is_token(token, note.token_digest):
            raise AttemptTokenInvalid("This token does not open the attempt's order.")
        self._require_open(key, folder)
        session = session_token(token, nonce)
        with streams.standing(note.log_path):  # no note of the runner may come between
            mine = Claim(
                submission=submission,
                node=node,
                nonce_digest=digest_of(nonce),
                session_digest=digest_of(session),
                log_base=streams.size_of(note.log_path),
            )
            order = folder.order()
            first = folder.take_claim(mine)
        if order is None or first.nonce_digest != mine.nonce_digest:
            raise OrderTaken(f"The order of this attempt was fetched before, by a job on {first.node}.")
        return {"order": decrypt(order, token), "token": session}

    def begin(self, key: RunKey, token: str) -> None:
        """Give leave to start the script. Idempotent.

        Raises:
            AttemptOver: the attempt was sealed, ended or replaced.
        """
        folder, _note, _claim = self._speaker(key, token)
        if not folder.begin():
            raise AttemptOver("The attempt was called off before its script began.")

    def started(self, key: RunKey, token: str, told: Mapping[str, Any]) -> None:
        """The script's process exists. Idempotent."""
        folder, _note, _claim = self._speaker(key, token)
        folder.put("started", told)

    def failed(self, key: RunKey, token: str, told: Mapping[str, Any]) -> None:
        """The script will not begin. Idempotent."""
        folder, _note, _claim = self._speaker(key, token)
        folder.put("failed", told)

    # -- what it sends -----------------------------------------------------------------------------------------------

    def append_log(self, key: RunKey, token: str, offset: int, data: bytes) -> int:
        """Append to the run's log; the size of what the attempt has sent.

        Raises:
            WrongOffset: says which offset it is instead.
        """
        _folder, note, claim = self._speaker(key, token)
        if note.log_max_bytes is not None and offset + len(data) > note.log_max_bytes + _LOG_SLACK_BYTES:
            raise AttemptOver("The log exceeds its limit by far: whoever sends it is no agent of ours.")
        return streams.append(note.log_path, offset, data, base=claim.log_base)

    def append_events(self, key: RunKey, token: str, offset: int, data: bytes) -> int:
        """Append to what the run tells; as `append_log`."""
        folder, _note, _claim = self._speaker(key, token)
        return streams.append(folder.control / "events.jsonl", offset, data, stream="events", mode=0o600)

    def put_artifact(self, key: RunKey, token: str, piece: streams.Piece) -> int:
        """Take a part of an artifact; how much of it is here.

        Raises:
            ArtifactRefused, ArtifactsTooLarge, WrongOffset: it is not taken.
        """
        folder, note, _claim = self._speaker(key, token)
        shelf = self._shelves.pop(key, None) or streams.ArtifactShelf(
            folder.path / "incoming", note.artifacts_dir, note.artifacts_max_bytes
        )
        while len(self._shelves) >= MAX_SHELVES:
            del self._shelves[next(iter(self._shelves))]  # one that rested longest; it counts anew
        self._shelves[key] = shelf
        return shelf.put(piece)

    def finish(self, key: RunKey, token: str, record: Mapping[str, Any], *, log: int, events: int) -> None:
        """Take the exit record, once all before it has arrived.

        Args:
            record: as the supervisor wrote it.
            log, events: how much of both there is.

        Raises:
            WrongOffset: something of the log or the events is missing; says what.
        """
        folder, note, claim = self._speaker(key, token)
        for stream, size, here in (
            ("log", log, streams.size_of(note.log_path, claim.log_base)),
            ("events", events, streams.size_of(folder.control / "events.jsonl")),
        ):
            if size != here:
                raise streams.wrong_offset(stream, here)
        folder.put("exit", record)

    # -- what it is told ---------------------------------------------------------------------------------------------

    async def next_order(self, key: RunKey, token: str, *, seen: int, wait: float) -> Mapping[str, Any]:
        """What the run's agent is to do: `{"stop": …}` when there is a wish it has not seen, at the latest after
        `wait` seconds."""
        folder, _note, _claim = await asyncio.to_thread(self._speaker, key, token)
        changed = asyncio.Event()
        self._watch.add(folder.control, changed.set)
        try:
            async with asyncio.timeout(min(wait, LONGEST_WAIT_SECONDS)):
                while not self._is_closing:
                    changed.clear()
                    stop = folder.get("stop")
                    if stop is not None and stop["seq"] > seen:
                        return {"stop": stop}
                    if wait <= 0 or not folder.exists() or folder.is_sealed():
                        break
                    await changed.wait()
        except TimeoutError:
            return {}
        finally:
            self._watch.remove(folder.control, changed.set)
        return {}

    def uv(self, key: RunKey, token: str) -> Path:
        """The server's uv, for a node that has none."""
        self._speaker(key, token)
        return Path(self._find_uv())

    def close(self) -> None:
        """Answer those who wait; from the event loop's thread."""
        self._is_closing = True
        self._watch.close()

    # -- who speaks --------------------------------------------------------------------------------------------------

    def _find(self, key: RunKey) -> tuple[AttemptFolder, Note]:
        folder = self._folders.of(key)
        note = folder.note()
        if note is None or not folder.touch():
            raise AttemptUnknown(f"There is no attempt {key.token} of the run {key.run_id} here.")
        return folder, note

    def _speaker(self, key: RunKey, token: str) -> tuple[AttemptFolder, Note, Claim]:
        """Everything about the attempt, when the token is its agent's and it may go on."""
        folder, note = self._find(key)
        claim = folder.claim()
        if claim is None or not is_token(token, claim.session_digest):
            raise AttemptTokenInvalid("This token does not speak for the attempt.")
        self._require_open(key, folder)
        return folder, note, claim

    def _require_open(self, key: RunKey, folder: AttemptFolder) -> None:
        if folder.is_sealed():
            raise AttemptOver("The attempt was called off before its script began.")
        if folder.get("exit") is not None:
            raise AttemptOver("The attempt has ended already.")
        now = self._clock()
        if now < self._fenced.get(key, 0.0):
            return
        if not self._is_current(key.run_id, key.token):
            raise AttemptOver("The run is over, or carried out as another attempt.")
        self._fenced = {known: until for known, until in self._fenced.items() if until > now}
        self._fenced[key] = now + FENCE_SECONDS
