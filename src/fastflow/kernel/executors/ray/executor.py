"""The Ray executor: every run a job of a cluster, the same supervisor on its node, its agent the way home."""

import asyncio
import json
import logging
import shlex
from collections.abc import AsyncIterator, Collection, Coroutine, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastflow.kernel.executors.errors import LaunchFailed
from fastflow.kernel.executors.port import Exit, Handle, Reason, RunKey, RunSpec, ToldEvent
from fastflow.kernel.executors.process.attempt import exit_from_record
from fastflow.kernel.executors.ray.attempt import RayAttempt
from fastflow.kernel.executors.ray.cluster import (
    ATTEMPT_KEY,
    OWNER_KEY,
    PIPELINE_KEY,
    RUN_KEY,
    Cluster,
    ClusterError,
    NewJob,
    as_launch_failed,
)
from fastflow.kernel.executors.ray.folders import AttemptFolders, Note
from fastflow.kernel.executors.ray.jobs import JobWatch
from fastflow.kernel.executors.ray.local import LocalCluster
from fastflow.kernel.executors.ray.notes import append_note, read_owner
from fastflow.kernel.executors.ray.order import Terms, UvBinary, build_order, digest_of, encrypt, new_token
from fastflow.kernel.executors.ray.package import AGENT_FOLDER, Packages
from fastflow.kernel.executors.ray.room import waiting_words
from fastflow.kernel.executors.ray.uvbinary import describe_uv
from fastflow.kernel.executors.ray.verdict import last_words
from fastflow.kernel.executors.ray.watch import FolderWatch
from fastflow.kernel.executors.registry import RaySettings

log = logging.getLogger(__name__)

STOP_PATIENCE_SECONDS = 15.0
"""How long after the grace time a supervisor may take to end the run, before the cluster does."""
WAITING_NOTE_SECONDS = 10.0
"""After how long without an agent the log says what the run waits for."""
MAX_SUBMISSIONS = 3
"""Jobs of one attempt that may end before their agent begins, through no fault of the run."""
_PYTHON = '"$(readlink /proc/$PPID/exe)"'
"""The interpreter Ray runs on: the one of the process that starts the job."""
_NO_ROOM = "JOB_SUPERVISOR_ACTOR_START_TIMEOUT"
_AGENT_FAILED = "JOB_ENTRYPOINT_COMMAND_ERROR"
_PACKAGE_GONE = f"can't open file '{AGENT_FOLDER}/agent.py'"
"""Python's words when another node that keeps its files in the same folder was just unpacking the package anew."""


class RayExecutor:
    """Runs as jobs of a Ray cluster.

    Args:
        data_dir: the product's data folder; what stands behind attempts is in its `ray/`.
        settings: of the cluster.
        is_default: runs go here unless they say otherwise; then a cluster of our own is started where none is named.
    """

    kind = "ray"

    def __init__(self, *, data_dir: Path, settings: RaySettings, is_default: bool = False) -> None:
        self._settings = settings
        self._is_default = is_default
        self._folders = AttemptFolders(data_dir)
        self._packages = Packages(self._folders.root)
        self._watch = FolderWatch()
        self._attempts: dict[RunKey, RayAttempt] = {}
        self._called_off: set[RunKey] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._local = LocalCluster(self._folders.root / "cluster") if settings.address is None and is_default else None
        self._cluster: Cluster | None = None
        self._jobs: JobWatch | None = None
        self._joined = asyncio.Event()
        self._why_none: str | None = None
        self._uv: UvBinary | None = None

    # -- life cycle ------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Look after the attempts that are there; a cluster that is away, or still has to be started, is no error."""
        for key in self._folders.list_keys():
            self._follow(key)
        if self._settings.address is not None:
            self._join(self._settings.address, self._settings.token)
        elif self._local is not None:
            self._spawn(self._start_local())

    async def close(self) -> None:
        """Let go. A cluster that was started here is ended, unless runs are going on on it."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._watch.close()
        is_busy = any(not attempt.exit.done() for attempt in self._attempts.values())
        for attempt in self._attempts.values():
            await attempt.close()
        if self._cluster is not None:
            await self._cluster.close()
        if self._local is not None and not is_busy:
            await asyncio.to_thread(self._local.end)

    def _join(self, address: str, token: str | None) -> None:
        self._folders.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._cluster = Cluster(address, token)
        self._jobs = JobWatch(
            self._cluster,
            owner=read_owner(self._folders.root),
            attempts=self._attempts.values,
            known=self._known_jobs,
        )
        self._spawn(self._jobs.run())
        self._joined.set()

    async def _start_local(self) -> None:
        assert self._local is not None
        try:
            address, token = await self._local.start()
        except (OSError, RuntimeError) as error:
            self._why_none = f"No Ray cluster could be started on this machine: {error}"
            log.exception("executor.no_local_cluster")
            self._joined.set()
        else:
            self._join(address, token)

    def _known_jobs(self) -> Collection[str]:
        notes = [self._folders.of(key).note() for key in self._folders.list_keys()]
        return {note.submission for note in notes if note is not None}

    # -- launching -------------------------------------------------------------------------------------------------

    async def launch(self, spec: RunSpec) -> Handle:
        """Submit a job and wait until the user's process exists on its node; see the port."""
        if spec.inputs is not None:
            raise LaunchFailed(
                "The nodes of a Ray cluster are handed no inputs: run it with executor process or docker."
            )
        cluster, jobs = await self._ready()
        try:
            spec.log_path.touch(mode=0o640)
            package = await asyncio.to_thread(self._packages.name_of, spec.code_dir)
            order = build_order(spec, self._terms(), await asyncio.to_thread(self._own_uv) if spec.recipe else None)
        except OSError as error:
            raise LaunchFailed(f"The run could not be packed: {error}.") from error
        number = failures = 0
        attempt: RayAttempt | None = None
        while True:
            number += 1
            job_id = f"fastflow-{spec.key.run_id}-{spec.key.token}" + (f"-{number}" if number > 1 else "")
            token = new_token()
            note = self._note(spec, job_id, token)
            await asyncio.to_thread(self._folders.of(spec.key).offer, note, encrypt(order, token))
            attempt = attempt or self._follow(spec.key)
            try:
                await self._upload(cluster, package, spec.code_dir)
                await cluster.submit(self._job(spec, job_id, token, package))
            except ClusterError as error:
                raise as_launch_failed(error) from error
            except OSError as error:
                raise LaunchFailed(f"The run could not be packed: {error}.") from error
            attempt.submitted(job_id)
            jobs.wake()
            told = await self._await_start(attempt, spec, number)
            if told is not None:
                isolation = dict(told["isolation"])
                return Handle(
                    key=spec.key,
                    started_at=datetime.fromtimestamp(told["at"], UTC),
                    isolation=isolation,
                    interpreter=isolation.get("interpreter"),
                )
            over = attempt.job_over.result()
            failures += over is None or over.error_type != _NO_ROOM
            if failures >= MAX_SUBMISSIONS:
                words = "the cluster forgot it" if over is None else last_words(over.message)
                raise LaunchFailed(f"The run's job ended before the run began: {words}.", hint="")

    async def _ready(self) -> tuple[Cluster, JobWatch]:
        if self._settings.address is None and self._local is None:
            raise LaunchFailed(
                "No Ray cluster is named: RAY_ADDRESS is not set.",
                code="no_cluster",
                hint="Set RAY_ADDRESS to a cluster's dashboard, or start one with `fastflow serve --executor ray`.",
            )
        if self._settings.server_url is None:
            raise LaunchFailed(
                "Nodes of a cluster could not reach this server: it does not serve.",
                code="no_server",
                hint="Runs on Ray need `fastflow serve`; nodes send their logs to its SERVER_URL.",
            )
        await self._joined.wait()
        if self._cluster is None or self._jobs is None:
            raise LaunchFailed(self._why_none or "There is no Ray cluster.", code="no_cluster")
        return self._cluster, self._jobs

    def _terms(self) -> Terms:
        settings = self._settings
        return Terms(
            node_dir=None if settings.node_dir is None else str(settings.node_dir),
            chunk_bytes=settings.chunk_bytes,
            artifacts_max_bytes=settings.artifacts_max_bytes,
            environment_days=settings.environment_days,
        )

    def _note(self, spec: RunSpec, job_id: str, token: str) -> Note:
        return Note(
            submission=job_id,
            token_digest=digest_of(token),
            log_path=spec.log_path,
            artifacts_dir=spec.artifacts_dir,
            log_max_bytes=spec.log_max_bytes,
            artifacts_max_bytes=self._settings.artifacts_max_bytes,
        )

    async def _upload(self, cluster: Cluster, package: str, code_dir: Path) -> None:
        if await cluster.has_package(package):
            return
        file = await asyncio.to_thread(self._packages.pack, code_dir)
        with file:
            await cluster.upload(package, file)

    def _job(self, spec: RunSpec, job_id: str, token: str, package: str) -> NewJob:
        given = {
            "url": self._settings.server_url,
            "run_id": spec.key.run_id,
            "attempt": spec.key.token,
            "submission": job_id,
            "token": token,
        }
        agent = f"exec {_PYTHON} -I -S {AGENT_FOLDER}/agent.py"
        return NewJob(
            id=job_id,
            entrypoint=f"FASTFLOW_AGENT={shlex.quote(json.dumps(given))} {agent}",
            package=package,
            cpus=spec.limits.cpus or self._settings.cpus,
            memory_bytes=spec.limits.memory_bytes,
            metadata={
                RUN_KEY: spec.key.run_id,
                ATTEMPT_KEY: str(spec.key.token),
                PIPELINE_KEY: spec.pipeline_name,
                OWNER_KEY: read_owner(self._folders.root),
            },
        )

    async def _await_start(self, attempt: RayAttempt, spec: RunSpec, number: int) -> Mapping[str, Any] | None:
        """What the supervisor tells when the user's process exists; None: another job may succeed.

        Raises:
            LaunchFailed: it does not come to that; the reason is in words.
        """
        waiting: set[asyncio.Future[Any]] = {attempt.started, attempt.job_over}
        done, _ = await asyncio.wait(waiting, timeout=WAITING_NOTE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            if number == 1:
                is_claimed = lambda: attempt.place.claim() is not None  # noqa: E731
                await asyncio.to_thread(append_note, spec.log_path, self._waiting_words(spec), unless=is_claimed)
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        attempt.look()
        if attempt.started.done():
            told = attempt.started.result()
            if told is None:
                is_logged = attempt.failed is not None and attempt.failed.get("is_logged", False)
                raise LaunchFailed(self._failure(attempt), hint="", extra={"is_logged": is_logged})
            return told
        over = attempt.job_over.result()
        claim = attempt.place.claim()
        if claim is not None:
            words = "" if over is None else f": {last_words(over.message)}"
            raise LaunchFailed(
                f"The run's agent on the node {claim.node} ended before the script began{words}.", hint=""
            )
        if over is not None and over.status == "STOPPED":
            raise LaunchFailed("The run's job was stopped from outside before the run began.", hint="")
        if over is not None and over.error_type == _AGENT_FAILED and _PACKAGE_GONE not in over.message:
            raise LaunchFailed(f"{last_words(over.message)}.", hint="Nodes must be able to reach SERVER_URL.")
        return None

    def _failure(self, attempt: RayAttempt) -> str:
        if attempt.failed is not None:
            return str(attempt.failed["text"])
        record = attempt.place.get("exit")
        return str(record["reason_text"]) if record else "The attempt was removed before its script began."

    def _waiting_words(self, spec: RunSpec) -> str:
        jobs = self._jobs
        return waiting_words(
            spec.limits,
            self._settings.cpus,
            () if jobs is None else jobs.nodes,
            jobs.away_because if jobs is not None and jobs.looked.is_set() else None,
        )

    def _own_uv(self) -> UvBinary:
        if self._uv is None:
            self._uv = describe_uv(self._settings.uv)
        return self._uv

    # -- the rest of the port ----------------------------------------------------------------------------------------

    async def call_off(self, key: RunKey) -> None:
        """End a launch that is still going on; see the port."""
        place = self._folders.of(key)
        attempt = self._attempts.get(key)
        if attempt is not None and not attempt.started.done() and place.seal():
            attempt.fail("cancelled", "the launch was called off")

    def waits_for(self, spec: RunSpec) -> str | None:
        """What a launch that no node has taken yet waits for; see the port."""
        attempt = self._attempts.get(spec.key)
        if attempt is None or attempt.submission is None:
            return None if self._joined.is_set() else "a cluster has to be started on this machine first"
        if attempt.started.done() or attempt.place.claim() is not None:
            return None
        return self._waiting_words(spec)

    async def wait(self, key: RunKey) -> Exit:
        """The run's end; see the port."""
        attempt = self._follow(key)
        record = await asyncio.shield(attempt.exit)
        if record is not None:
            return exit_from_record(key, record)
        return Exit(
            key=key,
            reason="lost",
            reason_text="what was known of the attempt is gone",
            exit_code=None,
            started_at=None,
            finished_at=datetime.now(UTC),
        )

    async def follow(self, key: RunKey, after_offset: int) -> AsyncIterator[ToldEvent]:
        """What the run tells; see the port."""
        attempt = self._follow(key)
        async for event in attempt.events(after_offset):
            yield event

    async def stop(self, key: RunKey, *, reason: Reason, reason_text: str, grace: float) -> None:
        """Ask the supervisor, through its agent, to end the run; should it not, the cluster does. See the port."""
        attempt = self._follow(key)
        if attempt.exit.done():
            return
        attempt.place.ask_stop(reason, reason_text, grace)
        self._spawn(self._stop_at_last(attempt, grace))

    async def _stop_at_last(self, attempt: RayAttempt, grace: float) -> None:
        done, _ = await asyncio.wait({attempt.exit}, timeout=grace + STOP_PATIENCE_SECONDS)
        claim = attempt.place.claim()
        if not done and claim is not None and self._cluster is not None:
            log.warning("executor.cluster_stops", extra={"fields": {"run_id": attempt.key.run_id}})
            with suppress(ClusterError):
                await self._cluster.stop(claim.submission)

    async def find_all(self) -> Sequence[RunKey]:
        """Every attempt with a folder; see the port."""
        return await asyncio.to_thread(self._folders.list_keys)

    async def seal(self, key: RunKey) -> bool:
        """Make sure that the attempt never starts, unless it has; see the port."""
        return self._folders.of(key).seal()

    async def discard(self, key: RunKey) -> None:
        """Forget the attempt; its job is tidied away as soon as the cluster lets us. See the port."""
        attempt = self._attempts.pop(key, None)
        place = self._folders.of(key)
        note = place.note()
        if attempt is not None:
            self._watch.remove(place.control, attempt.look)
            await attempt.close()
        if note is not None and self._jobs is not None:
            self._jobs.retire(note.submission, at_once=not place.has_begun())
        await asyncio.to_thread(place.remove)

    def describe(self) -> Mapping[str, Any]:
        """The cluster as last seen; see the port."""
        jobs = self._jobs
        away = self._why_none if jobs is None else jobs.away_because
        if jobs is None and away is None:
            away = "RAY_ADDRESS is not set" if self._local is None else "a cluster is being started on this machine"
        nodes = [] if jobs is None else [node for node in jobs.nodes if node.is_alive]
        return {
            "kind": self.kind,
            "address": None if self._cluster is None else self._cluster.address,
            "is_own": self._local is not None,
            "reachable": away is None,
            "why": away,
            "version": None if jobs is None else jobs.version,
            "nodes": [
                {"ip": node.ip, "cpus": node.cpus, "memory_bytes": int(node.memory_bytes), "is_head": node.is_head}
                for node in nodes
            ],
            "server_url": self._settings.server_url,
        }

    # -- inside ------------------------------------------------------------------------------------------------------

    def _follow(self, key: RunKey) -> RayAttempt:
        attempt = self._attempts.get(key)
        if attempt is None:
            place = self._folders.of(key)
            attempt = self._attempts[key] = RayAttempt(key, place)
            if place.exists():
                self._watch.add(place.control, attempt.look)
            attempt.look()
        return attempt

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
