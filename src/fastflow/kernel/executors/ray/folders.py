"""An attempt on the server, as files: what the runner that launched it and the web process that its agent talks to know
of it between them. Each fact is written once and whole (a link or a rename), so a crash leaves it there or not there.

    DATA_DIR/ray/<run>.<attempt>/
        attempt.json   how to recognise its agent, and where its log and artifacts go (`Note`)
        order          what the agent is told, encrypted with its token; gone once the script has leave to begin
        incoming/      artifacts that have not arrived whole
        ctl/claim.json     who fetched the order
        ctl/started        the agent has leave to begin; empty: sealed, it never will have
        ctl/started.json, ctl/failed.json, ctl/events.jsonl, ctl/exit.json   what the agent told
        ctl/stop.json      what it is to be told
        ctl/seen           touched whenever it is heard of
"""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from fastflow.kernel.executors.port import Reason, RunKey


@dataclass(frozen=True, kw_only=True)
class Note:
    """What is known of an attempt from its launch on.

    Attributes:
        submission: id of its job on the cluster.
        token_digest: of the token its order is exchanged for.
        log_path, artifacts_dir: where what it sends goes.
        log_max_bytes: size at which its supervisor cuts the log; None: never.
        artifacts_max_bytes: of all its artifacts together.
    """

    submission: str
    token_digest: str
    log_path: Path
    artifacts_dir: Path
    log_max_bytes: int | None
    artifacts_max_bytes: int


@dataclass(frozen=True, kw_only=True)
class Claim:
    """Who fetched the order.

    Attributes:
        submission: the job it came from.
        node: the name of its machine.
        nonce_digest: tells a repeated request from a second one.
        session_digest: of the token that goes with everything it sends from then on.
        log_base: size of the log when it came: what it sends begins there.
    """

    submission: str
    node: str
    nonce_digest: str
    session_digest: str
    log_base: int


class AttemptFolder:
    """The folder of one attempt."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.control = path / "ctl"

    def exists(self) -> bool:
        """Whether the attempt is known."""
        return self.control.is_dir()

    def offer(self, note: Note, order: bytes) -> None:
        """Lay the order ready for the agent that the note describes; one that was offered before is void."""
        self.control.mkdir(parents=True, exist_ok=True, mode=0o700)
        (self.path / "incoming").mkdir(exist_ok=True, mode=0o700)
        told = {**asdict(note), "log_path": str(note.log_path), "artifacts_dir": str(note.artifacts_dir)}
        _replace(self.path / "order", order)
        _replace(self.path / "attempt.json", json.dumps(told).encode())
        (self.control / "seen").touch()

    def note(self) -> Note | None:
        """None when nothing was offered yet, or the attempt is unknown."""
        told = _read(self.path / "attempt.json")
        if told is None:
            return None
        return Note(**{**told, "log_path": Path(told["log_path"]), "artifacts_dir": Path(told["artifacts_dir"])})

    def order(self) -> bytes | None:
        """The encrypted order; None when it is not needed any more."""
        try:
            return (self.path / "order").read_bytes()
        except FileNotFoundError:
            return None

    # -- who does it -----------------------------------------------------------------------------------------------

    def claim(self) -> Claim | None:
        """Who fetched the order; None: nobody yet."""
        told = _read(self.control / "claim.json")
        return None if told is None else Claim(**told)

    def take_claim(self, claim: Claim) -> Claim:
        """Note who fetches the order; answers who was first."""
        _write_once(self.control / "claim.json", asdict(claim))
        first = self.claim()
        assert first is not None
        return first

    def begin(self) -> bool:
        """Give leave to begin; False: the attempt was sealed. Idempotent."""
        _write_once(self.control / "started", {"begun": True})
        if self.is_sealed():
            return False
        (self.path / "order").unlink(missing_ok=True)
        return True

    def seal(self) -> bool:
        """Make sure that it never begins; False: it has leave already. Idempotent."""
        self.control.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            os.close(os.open(self.control / "started", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            return self.is_sealed()
        return True

    def is_sealed(self) -> bool:
        """Whether it was sealed before it had leave to begin."""
        try:
            return (self.control / "started").stat().st_size == 0
        except FileNotFoundError:
            return False

    def has_begun(self) -> bool:
        """Whether it has leave to begin."""
        return (self.control / "started").exists() and not self.is_sealed()

    # -- what it tells and is told -----------------------------------------------------------------------------------

    def put(self, name: str, fact: Mapping[str, Any]) -> bool:
        """Note a fact that the agent tells once (`started`, `failed`, `exit`); False: it was known."""
        return _write_once(self.control / f"{name}.json", fact)

    def get(self, name: str) -> Mapping[str, Any] | None:
        """A fact; None: not told."""
        told: Mapping[str, Any] | None = _read(self.control / f"{name}.json")
        return told

    def ask_stop(self, reason: Reason, reason_text: str, grace: float) -> None:
        """What the agent is to be told; a later wish replaces an earlier one."""
        earlier = self.get("stop") or {"seq": 0}
        wish = {"seq": earlier["seq"] + 1, "reason": reason, "reason_text": reason_text, "grace": grace}
        _replace(self.control / "stop.json", json.dumps(wish).encode())

    def touch(self) -> bool:
        """Remember that the agent was heard of; False: the attempt is unknown."""
        try:
            os.utime(self.control / "seen")
        except FileNotFoundError:
            return False
        return True

    def heard_at(self) -> float:
        """When it was last heard of, or offered its order, in seconds since the epoch."""
        try:
            return (self.control / "seen").stat().st_mtime
        except FileNotFoundError:
            return 0.0

    def remove(self) -> None:
        """Remove it. Idempotent."""
        (self.path / "attempt.json").unlink(missing_ok=True)  # first: whoever asks now is told that it is unknown
        shutil.rmtree(self.path, ignore_errors=True)
        if self.path.exists():  # an agent's last request wrote into it meanwhile
            shutil.rmtree(self.path)


class AttemptFolders:
    """All attempts.

    Args:
        data_dir: the product's data folder.
    """

    def __init__(self, data_dir: Path) -> None:
        self.root = data_dir / "ray"

    def of(self, key: RunKey) -> AttemptFolder:
        """The attempt's; it need not exist."""
        return AttemptFolder(self.root / f"{key.run_id}.{key.token}")

    def list_keys(self) -> Sequence[RunKey]:
        """The attempts there are."""
        found = []
        for path in sorted(self.root.iterdir()) if self.root.exists() else ():
            run_id, _dot, token = path.name.rpartition(".")
            if run_id and token.isdigit():
                found.append(RunKey(run_id=run_id, token=int(token)))
        return found


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None


def _replace(path: Path, data: bytes) -> None:
    fresh = path.with_name(f".{path.name}.{uuid4().hex}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    fresh.rename(path)


def _write_once(path: Path, fact: Mapping[str, Any]) -> bool:
    """Write the file whole unless it is there; whether it was not."""
    fresh = path.with_name(f".{path.name}.{uuid4().hex}")
    _replace(fresh, json.dumps(dict(fact)).encode())
    try:
        os.link(fresh, path)
    except FileExistsError:
        return False
    finally:
        fresh.unlink()
    return True
