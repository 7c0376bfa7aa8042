"""Submitting one run and following it to its end, on a server or in this process."""

import asyncio
import fcntl
import signal
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import typer

from fastflow.cli.client import Api, part
from fastflow.cli.errors import ServerProblem
from fastflow.cli.following import ByteSink, LogFollower
from fastflow.cli.logs import write_stderr, write_stdout
from fastflow.cli.output import local_time, printable
from fastflow.cli.params import parse_params
from fastflow.cli.status_line import StatusLine, keep_status, terminal_status
from fastflow.kit.errors import FastFlowError, Unavailable
from fastflow.kit.words import counted

EXIT_TIMEOUT = 124
EXIT_NOT_RUN = 125
EXIT_CANCELLED = 130
EXIT_OUT_OF_MEMORY = 137
RUNNER_LOCK = "run/runner.lock"
"""In DATA_DIR: held by the runner process of a server."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, kw_only=True)
class Order:
    """What the command line asks for; `pairs` and `json_params` are read by the pipeline's schema."""

    pairs: tuple[str, ...]
    json_params: str | None
    timeout: float | None
    priority: int
    idempotency_key: str | None
    alone: bool = False


class Executing(Protocol):
    """The run being executed in this process (`kernel.runs.dispatcher.SingleRun`)."""

    def look(self) -> None:
        """Look at once whether anything was asked of the run."""
        ...

    async def kill(self, text: str) -> None:
        """End it without grace."""
        ...

    async def execute(self) -> bool:
        """See it through; False when it is in other hands."""
        ...


def detach_run(api: Api, name: str, order: Order) -> int:
    """Submit and print the run's id, alone on stdout; the exit code."""
    typer.echo(api.run(_submit_and_tell(api, name, order))["id"])
    return 0


def run_on_server(api: Api, name: str, order: Order) -> int:
    """Submit to a runner that works elsewhere, and follow; the exit code."""
    return api.run(_run(api, _submit_and_tell(api, name, order), lambda _run_id: None))


def run_here(api: Api, name: str, order: Order) -> int:
    """Submit, execute in this process, and follow; the exit code. Nothing runs after it: nobody is there to do so."""
    _require_room(api)
    order = replace(order, alone=True)
    return api.run(_run(api, _submit(api, name, order), lambda run_id: _execute_here(api, run_id)))


def follow_submission(api: Api, path: str, body: Mapping[str, Any]) -> int:
    """Submit by any operation that answers with a run, and follow: on the server if one works, else executed here."""
    is_here = api.local is not None and not is_runner_at_work(api.local.settings.data_dir)

    if is_here:
        _require_room(api)

    def execute(run_id: str) -> Executing | None:
        return _execute_here(api, run_id) if is_here else None

    return api.run(_run(api, api.call("POST", path, body=body), execute))


def _require_room(api: Api) -> None:
    """Refuse to begin on a disk that is nearly full, as a server's runner lets runs wait then.

    Raises:
        Unavailable: there is less room than MIN_FREE_DISK_MB.
    """
    from fastflow.terms import disk_floor  # it loads much of the product

    why = disk_floor(api.local.settings)()
    if why is not None:
        raise Unavailable(
            f"Nothing is started: {why}.",
            code="disk_low",
            hint="Free space there (`fastflow environments gc --unused-days 0`), or set MIN_FREE_DISK_MB to less.",
        )


def _execute_here(api: Api, run_id: str) -> Executing:
    product = api.local
    single: Executing = product.make_dispatcher(product.make_executors(ahead=False)).single(run_id)
    return single


def is_runner_at_work(data_dir: Path) -> bool:
    """Whether a server's runner works on the data folder."""
    try:
        lock = (data_dir / RUNNER_LOCK).open("rb")
    except FileNotFoundError:
        return False
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


async def _submit(api: Api, name: str, order: Order) -> Mapping[str, Any]:
    schema = None
    if order.pairs:
        schema = (await api.call("GET", f"/pipelines/{part(name)}"))["params_schema"]
    body = {
        "params": parse_params(order.pairs, order.json_params, schema),
        "priority": order.priority,
        "idempotency_key": order.idempotency_key,
        "timeout": order.timeout,
        "alone": order.alone,
    }
    run: Mapping[str, Any] = await api.call("POST", f"/pipelines/{part(name)}/run", body=body)
    return run


async def _submit_and_tell(api: Api, name: str, order: Order) -> Mapping[str, Any]:
    """Submit, and tell of the flow that begins with the run."""
    run = await _submit(api, name, order)
    if not order.alone:
        with suppress(FastFlowError):  # the run is submitted, whatever becomes of this look
            for flow in (await api.call("GET", "/flows", query={"run_id": run["id"], "limit": 1}))["items"]:
                _note(describe_flow(flow), terminal_status())
    return run


def describe_flow(flow: Mapping[str, Any]) -> str:
    """The flow that goes on after a run.

    >>> describe_flow({"id": "0199", "steps_total": 3, "detail": {"warnings": ["x may belong to it"]}})
    'its flow 0199 goes on with 2 steps: fastflow flows show 0199; warning: x may belong to it'
    """
    left = counted(flow["steps_total"] - 1, "step")
    warnings = "".join(f"; warning: {warning}" for warning in flow["detail"].get("warnings", ()))
    return f"its flow {flow['id']} goes on with {left}: fastflow flows show {flow['id']}{warnings}"


async def _run(api: Api, submission: Awaitable[Mapping[str, Any]], execute: "Callable[[str], Executing | None]") -> int:
    run = await submission
    status = terminal_status()
    while True:
        ended = await _run_attempt(api, run, execute, status)
        if ended is None:
            return EXIT_CANCELLED
        if ended["retried_by"] is None:
            return exit_code_of(ended)
        run = await api.call("GET", f"/runs/{part(ended['retried_by'])}")
        _note(describe_retry(run), status)


async def _run_attempt(
    api: Api, run: Mapping[str, Any], execute: "Callable[[str], Executing | None]", status: StatusLine
) -> Mapping[str, Any] | None:
    """Follow one run to its end; None: nobody wanted to wait for it."""
    run_id = str(run["id"])
    _note(f"run {run_id}", status)
    # a run found again by its idempotency key may have begun, or be over
    executing = execute(run_id) if run["status"] == "PENDING" else None
    interrupts = Interrupts(api, run_id, executing, lambda text: _note(text, status))
    sink = ByteSink(
        _writer(status, write_stdout), _writer(status, write_stderr), on_note=lambda text: _note(text, status)
    )
    follower = LogFollower(api, run_id, sink)
    with interrupts.handled():
        is_over = await _until_first(
            _follow_and_execute(api, run_id, follower, executing),
            interrupts.given_up.wait(),
            keep_status(api, run_id, status, lambda text: _note(text, status), is_here=executing is not None),
        )
    status.clear()
    if not is_over:
        return None
    ended: Mapping[str, Any] = await api.call("GET", f"/runs/{part(run_id)}")
    if sink.is_mid_line and status.is_seen:
        typer.echo(err=True)  # on a terminal our line would stand behind the script's last one
    if ended["reason"]:
        _note(describe_failure(ended, has_lines=sink.has_written), status)
    return ended


async def _follow_and_execute(api: Api, run_id: str, follower: LogFollower, executing: Executing | None) -> None:
    if executing is None:
        await follower.follow()
        return
    following = asyncio.create_task(follower.follow())  # noqa: TID251 - awaited or cancelled below
    try:
        await executing.execute()
        await following
    except Exception:  # it could not be executed here, and must not stay in the queue for nobody
        with suppress(FastFlowError):
            body = {"reason": "`fastflow run` could not execute it"}
            await api.call("POST", f"/runs/{part(run_id)}/cancel", body=body)
        raise
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following


async def _until_first(work: Awaitable[None], giving_up: Awaitable[Any], beside: Awaitable[None]) -> bool:
    """Wait for the work, or for its being given up; True for the work's end."""
    working, giving, side = (asyncio.ensure_future(each) for each in (work, giving_up, beside))  # noqa: TID251 - all awaited
    try:
        await asyncio.wait({working, giving}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
        return working.done()
    finally:
        for task in (working, giving, side):
            task.cancel()
        await asyncio.gather(working, giving, side, return_exceptions=True)


class Interrupts:
    """Ctrl-C while a run is followed: the first cancels it, the second does not wait for its grace period.

    Args:
        api: the connection.
        run_id: the run.
        executing: the run in this process; None when it is executed elsewhere.
        note: tells what happens.
    """

    def __init__(self, api: Api, run_id: str, executing: Executing | None, note: Callable[[str], None]) -> None:
        self._api = api
        self._run_id = run_id
        self._executing = executing
        self._note = note
        self._count = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self.given_up = asyncio.Event()
        """The run is being stopped elsewhere, and nobody wants to wait for it."""

    def handled(self) -> "_Handlers":
        """While in this context, signals come here."""
        return _Handlers(self.interrupt)

    def interrupt(self) -> None:
        """One signal more."""
        self._count += 1
        if self._count == 1:
            self._note("cancelling the run; Ctrl-C again to end it at once")
            self._spawn(self._cancel())
        elif self._executing is not None:
            self._note("ending the run at once")
            self._spawn(self._executing.kill("killed by a second Ctrl-C"))
        else:
            self._note("the server goes on stopping the run")
            self.given_up.set()

    async def _cancel(self) -> None:
        try:
            await self._api.call("POST", f"/runs/{part(self._run_id)}/cancel", body={"reason": "Ctrl-C"})
        except ServerProblem as error:
            if error.code != "run_ended":
                self._note(error.message)
        if self._executing is not None:
            self._executing.look()

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _Handlers:
    def __init__(self, on_signal: Callable[[], None]) -> None:
        self._on_signal = on_signal
        self._before: dict[int, Any] = {}

    def __enter__(self) -> None:
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            self._before[number] = signal.getsignal(number)
            loop.add_signal_handler(number, self._on_signal)

    def __exit__(self, *_error: object) -> None:
        loop = asyncio.get_running_loop()
        for number, handler in self._before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)


def describe_failure(run: Mapping[str, Any], *, has_lines: bool = True) -> str:
    """How a run failed, in a line. What kept it from being set up stands in the log, which was just shown if it has lines.

    >>> describe_failure({"reason": "timeout", "reason_text": "ran longer than 5 s"})
    'the run failed: timeout: ran longer than 5 s'
    """
    if run["reason"] == "setup" and has_lines:
        return "the run failed: setup (the lines above say why)"
    return f"the run failed: {run['reason']}: {run['reason_text'] or 'no reason was given'}"


def describe_retry(run: Mapping[str, Any]) -> str:
    """What comes after a failure, in a line.

    >>> describe_retry({"attempt": 2, "not_before": None})
    'attempt 2 follows'
    """
    when = f" not before {local_time(run['not_before'])}" if run["not_before"] else ""
    return f"attempt {run['attempt']} follows{when}"


def exit_code_of(run: Mapping[str, Any]) -> int:
    """The command's exit code for an ended run.

    >>> exit_code_of({"status": "FAILED", "reason": "exit", "exit_code": -11})
    139
    """
    if run["status"] == "SUCCESS":
        return 0
    if run["reason"] == "exit":
        code = 1 if run["exit_code"] is None else int(run["exit_code"])
        return 128 - code if code < 0 else code
    return {"timeout": EXIT_TIMEOUT, "cancelled": EXIT_CANCELLED, "oom": EXIT_OUT_OF_MEMORY}.get(
        str(run["reason"]), EXIT_NOT_RUN
    )


def _writer(status: StatusLine, write: Callable[[bytes], None]) -> Callable[[bytes], None]:
    """Writes around the status line; when nobody reads any more, the run is followed all the same."""
    is_read = True

    def write_around(data: bytes) -> None:
        nonlocal is_read
        status.clear()
        if is_read:
            try:
                write(data)
            except BrokenPipeError:
                is_read = False
        status.written(data)

    return write_around


def _note(text: str, status: StatusLine) -> None:
    status.clear()
    typer.echo(f"[fastflow] {printable(text)}", err=True)
