"""What every executor must do: one suite, run over each kind by subclassing.

A kind's test module subclasses `ExecutorContract` and provides the `lab` fixture (see `ExecutorLab`). Statements are
about the port's records and the files a run leaves, never about how a kind does it.
"""

import asyncio
import base64
import hashlib
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from fastflow.kernel.executors.errors import LaunchFailed
from fastflow.kernel.executors.port import Executor, Exit, Limits, RunKey, RunSpec, ToldEvent
from fastflow.kit.ids import new_id
from fastflow.testing.inputs_contract import InputsContract

SECRET = "s3cr3t/väl ue+of=12"  # noqa: S105  a made-up value with characters that every encoding changes
MEGABYTE = 1 << 20


@dataclass(kw_only=True)
class Outcome:
    """A finished run and what it left."""

    exit: Exit
    log: bytes
    events: Sequence[ToldEvent]
    spec: RunSpec

    def text(self, stream: str) -> bytes:
        """What the log holds of one stream, parts joined, without times."""
        joined = bytearray()
        for line in self.log.splitlines(keepends=True):
            _time, name, kind, rest = (*line.split(b" ", 3), b"")[:4]
            if name == stream.encode():
                joined += rest if kind == b"F" else rest[:-1]
        return bytes(joined)

    @property
    def last_line(self) -> str:
        """The text of the log's last line."""
        return self.log.splitlines()[-1].split(b" ", 3)[3].decode()


@dataclass(kw_only=True)
class ExecutorLab:
    """An executor with a place to work.

    Attributes:
        executor: opened.
        reopen: lets go of the executor as a crash of its process would, and gives a new, opened one.
        folder: code, logs and artifacts go here.
        python: an interpreter that runs may use.
    """

    executor: Executor
    reopen: Callable[[], Awaitable[Executor]]
    folder: Path
    python: Path
    launched: list[RunKey] = field(default_factory=list)

    def spec(self, script: str, **changes: Any) -> RunSpec:
        """A spec for a pipeline consisting of `script`."""
        digest = hashlib.sha256(script.encode()).hexdigest()[:16]
        code = self.folder / "code" / digest
        code.mkdir(parents=True, exist_ok=True)
        (code / "main.py").write_text(script)
        key = RunKey(run_id=new_id(), token=1)
        given: dict[str, Any] = {
            "key": key,
            "pipeline_name": "contract",
            "code_dir": code,
            "script": "main.py",
            "python": self.python,
            "environment": "contract",
            "env": {},
            "log_path": self.folder / f"{key.run_id}.log",
            "artifacts_dir": self.folder / "artifacts" / key.run_id,
            "grace": 5.0,
        }
        return RunSpec(**{**given, **changes})

    async def launch(self, spec: RunSpec) -> None:
        """Launch and remember it."""
        self.launched.append(spec.key)
        await self.executor.launch(spec)

    async def finish(self, spec: RunSpec) -> Outcome:
        """Wait for the end of a launched run and gather everything."""
        events = [event async for event in self.executor.follow(spec.key, -1)]
        ended = await self.executor.wait(spec.key)
        return Outcome(exit=ended, log=spec.log_path.read_bytes(), events=events, spec=spec)

    async def run(self, script: str, **changes: Any) -> Outcome:
        """Launch `script` and wait for its end."""
        spec = self.spec(script, **changes)
        await self.launch(spec)
        return await self.finish(spec)

    async def until_logged(self, spec: RunSpec, text: bytes) -> None:
        """Return when the run's log holds `text`."""
        async with asyncio.timeout(30):
            while not (spec.log_path.exists() and text in spec.log_path.read_bytes()):
                await asyncio.sleep(0.01)


class ExecutorContract(InputsContract):
    """The suite. Subclasses provide the fixture `lab`.

    Attributes:
        fresh_starts: runs of one script that must not see each other; a kind that keeps something warm needs several.
    """

    fresh_starts = 4

    async def test_output_when_printed_then_logged_in_order_with_time_and_stream(self, lab: ExecutorLab) -> None:
        outcome = await lab.run("for i in range(2000): print('line', i)")
        assert outcome.exit.reason is None and outcome.exit.exit_code == 0
        assert outcome.text("stdout") == b"".join(b"line %d\n" % i for i in range(2000))
        times = [line.split(b" ")[0] for line in outcome.log.splitlines()]
        assert times == sorted(times) and all(len(time) == 30 and time.endswith(b"Z") for time in times)

    async def test_streams_when_both_written_then_told_apart(self, lab: ExecutorLab) -> None:
        outcome = await lab.run("import sys\nprint('out')\nprint('err', file=sys.stderr)\nprint('out2')")
        assert outcome.text("stdout") == b"out\nout2\n"
        assert outcome.text("stderr") == b"err\n"

    async def test_bytes_when_not_utf8_or_coloured_then_kept(self, lab: ExecutorLab) -> None:
        script = "import os\nos.write(1, b'\\xff\\xfe \\x1b[31mred\\x1b[0m \\xc3\\n')"
        outcome = await lab.run(script)
        assert outcome.text("stdout") == b"\xff\xfe \x1b[31mred\x1b[0m \xc3\n"

    async def test_line_when_ten_megabytes_long_then_survives(self, lab: ExecutorLab) -> None:
        outcome = await lab.run("print('a' * 10_000_000)\nprint('after')")
        assert outcome.text("stdout") == b"a" * 10_000_000 + b"\nafter\n"

    async def test_last_line_when_without_newline_then_logged(self, lab: ExecutorLab) -> None:
        outcome = await lab.run("import sys\nsys.stdout.write('no newline')")
        assert outcome.text("stdout") == b"no newline"

    async def test_partial_line_when_script_pauses_then_visible_at_once(self, lab: ExecutorLab) -> None:
        spec = lab.spec("import sys, time\nsys.stdout.write('so far')\nsys.stdout.flush()\ntime.sleep(60)")
        await lab.launch(spec)
        await lab.until_logged(spec, b"so far")
        await lab.executor.stop(spec.key, reason="cancelled", reason_text="enough", grace=1)
        assert (await lab.finish(spec)).exit.reason == "cancelled"

    async def test_output_when_a_hundred_megabytes_then_complete(self, lab: ExecutorLab) -> None:
        script = "line = 'x' * 92\nfor i in range(1_000_000): print('%07d' % i + line)"
        outcome = await lab.run(script)
        assert outcome.exit.reason is None
        printed = (line.partition(b" F ")[2] for line in outcome.log.splitlines())
        assert all(text == b"%07d" % number + b"x" * 92 for number, text in enumerate(printed))
        assert outcome.log.count(b"\n") == 1_000_000

    @pytest.mark.parametrize(
        ("script", "code"),
        [
            ("import sys; sys.exit(3)", 3),
            ("raise SystemExit('bye')", 1),
            ("1/0", 1),
            ("import os; os._exit(77)", 77),
            ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -9),
            ("import ctypes; ctypes.string_at(0)", -11),
        ],
    )
    async def test_exit_when_not_zero_then_reason_exit_with_code(
        self, lab: ExecutorLab, script: str, code: int
    ) -> None:
        outcome = await lab.run(script)
        assert (outcome.exit.reason, outcome.exit.exit_code) == ("exit", code)
        assert outcome.exit.reason_text

    async def test_traceback_when_script_raises_then_only_the_scripts_frames(self, lab: ExecutorLab) -> None:
        outcome = await lab.run("def inner():\n    raise ValueError('broken part')\ninner()")
        text = outcome.text("stderr")
        assert text.count(b"File ") == 2 and b"ValueError: broken part" in text
        assert "broken part" in (outcome.exit.reason_text or "")

    async def test_environment_when_run_then_only_what_was_given(
        self, lab: ExecutorLab, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SERVER_SIDE_VALUE", "must not be seen")
        outcome = await lab.run("import os, json\nprint(json.dumps(dict(os.environ)))", env={"PARAM_CITY": "Köln"})
        seen = json.loads(outcome.text("stdout"))
        assert seen["PARAM_CITY"] == "Köln"
        assert "SERVER_SIDE_VALUE" not in seen
        assert seen["FASTFLOW_RUN_ID"] == outcome.spec.key.run_id

    async def test_params_when_given_then_in_file(self, lab: ExecutorLab) -> None:
        script = "import os\nprint(open(os.environ['FASTFLOW_PARAMS']).read())"
        outcome = await lab.run(script, params={"CITY": "Köln", "N": [1, 2]})
        assert json.loads(outcome.text("stdout")) == {"CITY": "Köln", "N": [1, 2]}

    async def test_script_when_plain_then_main_file_argv_and_imports_are_as_usual(self, lab: ExecutorLab) -> None:
        spec = lab.spec(
            "import sys, os, neighbour\n"
            "print(__name__, os.path.basename(__file__), os.path.basename(sys.argv[0]), neighbour.VALUE)\n"
            "print(open('data.txt').read())\n"
            "open('out.txt', 'w').write('x')\n"
            "import pickle\nclass A: pass\nassert pickle.loads(pickle.dumps(A())).__class__ is A"
        )
        (spec.code_dir / "neighbour.py").write_text("VALUE = 42")
        (spec.code_dir / "data.txt").write_text("relative data")
        await lab.launch(spec)
        outcome = await lab.finish(spec)
        assert outcome.exit.reason is None, outcome.log
        assert outcome.text("stdout") == b"__main__ main.py main.py 42\nrelative data\n"

    async def test_interpreter_when_missing_then_launch_fails_in_words(self, lab: ExecutorLab) -> None:
        spec = lab.spec("print(1)", python=lab.folder / "nowhere" / "bin" / "python")
        with pytest.raises(LaunchFailed) as caught:
            await lab.launch(spec)
        assert "nowhere" in str(caught.value)

    async def test_script_when_missing_then_run_fails_and_names_it(self, lab: ExecutorLab) -> None:
        spec = replace(lab.spec("print(1)"), script="nowhere.py")
        await lab.launch(spec)
        outcome = await lab.finish(spec)
        assert outcome.exit.reason == "exit" and outcome.exit.exit_code
        assert b"nowhere.py" in outcome.text("stderr")

    async def test_threads_and_exit_handlers_when_script_ends_then_still_run(self, lab: ExecutorLab) -> None:
        script = (
            "import threading, atexit, time\natexit.register(lambda: print('atexit'))\n"
            "threading.Thread(target=lambda: (time.sleep(0.2), print('thread'))).start()\nprint('main')"
        )
        outcome = await lab.run(script)
        assert outcome.text("stdout") == b"main\nthread\natexit\n"

    # -- ends --------------------------------------------------------------------------------------------------------

    async def test_run_timeout_when_exceeded_then_whole_tree_ended(self, lab: ExecutorLab) -> None:
        script = "import os, time\nif os.fork() == 0:\n    os.setsid()\nprint('up', flush=True)\ntime.sleep(600)"
        outcome = await lab.run(script, run_timeout=0.5, grace=0.5)
        assert outcome.exit.reason == "timeout" and "0.5" in (outcome.exit.reason_text or "")
        assert outcome.last_line == f"[fastflow] the run was ended: {outcome.exit.reason_text}"
        assert self.processes_of(outcome.spec.key) == []

    async def test_idle_timeout_when_silent_then_ended(self, lab: ExecutorLab) -> None:
        outcome = await lab.run("import time\nprint('x')\ntime.sleep(600)", idle_timeout=0.4, grace=0.5)
        assert outcome.exit.reason == "timeout" and "idle" in (outcome.exit.reason_text or "")
        assert outcome.last_line == f"[fastflow] the run was ended: {outcome.exit.reason_text}"

    async def test_stop_when_script_cleans_up_then_it_has_the_grace_time(self, lab: ExecutorLab) -> None:
        script = (
            "import os, signal, sys, time\ndef end(*_):\n    os.write(1, b'cleaning\\n')\n    sys.exit(0)\n"
            "signal.signal(signal.SIGTERM, end)\nprint('ready', flush=True)\ntime.sleep(600)"
        )
        spec = lab.spec(script)
        await lab.launch(spec)
        await lab.until_logged(spec, b"ready")
        await lab.executor.stop(spec.key, reason="cancelled", reason_text="by anna", grace=20)
        outcome = await lab.finish(spec)
        assert (outcome.exit.reason, outcome.exit.reason_text) == ("cancelled", "by anna")
        assert outcome.text("stdout") == b"ready\ncleaning\n", outcome.log

    @pytest.mark.parametrize(
        "body",
        [
            "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('ready', flush=True)\ntime.sleep(600)",
            "print('ready', flush=True)\n"
            "for _ in range(3):\n    if os.fork() == 0:\n        os.setsid()\n"
            "signal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(600)",
            "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('ready', flush=True)\n"
            "while True: os.write(1, b'flood ' * 1000 + b'\\n')",
        ],
        ids=["ignores-sigterm", "forks", "floods"],
    )
    async def test_stop_when_script_resists_then_killed_with_its_tree(self, lab: ExecutorLab, body: str) -> None:
        spec = lab.spec("import os, signal, time\n" + body, log_max_bytes=20 * MEGABYTE)
        await lab.launch(spec)
        await lab.until_logged(spec, b"ready")
        await lab.executor.stop(spec.key, reason="cancelled", reason_text="enough", grace=0.3)
        outcome = await lab.finish(spec)
        assert outcome.exit.reason == "cancelled"
        assert self.processes_of(spec.key) == []

    async def test_background_process_when_left_by_script_then_ended_and_run_succeeds(self, lab: ExecutorLab) -> None:
        script = "import os, time\nif os.fork() == 0:\n    time.sleep(600)\nprint('done')"
        outcome = await lab.run(script)
        assert outcome.exit.reason is None
        assert self.processes_of(outcome.spec.key) == []

    async def test_wait_when_asked_twice_then_same_answer(self, lab: ExecutorLab) -> None:
        outcome = await lab.run("print(1)")
        assert await lab.executor.wait(outcome.spec.key) == outcome.exit

    async def test_seal_when_started_then_false_and_else_true_for_good(self, lab: ExecutorLab) -> None:
        outcome = await lab.run("print(1)")
        assert await lab.executor.seal(outcome.spec.key) is False
        assert await lab.executor.seal(RunKey(run_id=new_id(), token=1)) is True

    async def test_discard_when_ended_then_attempt_forgotten_and_log_kept(self, lab: ExecutorLab) -> None:
        outcome = await lab.run("open('x', 'w').write('y')\nprint('kept')")
        assert outcome.spec.key in await lab.executor.find_all()
        await lab.executor.discard(outcome.spec.key)
        await lab.executor.discard(outcome.spec.key)
        assert outcome.spec.key not in await lab.executor.find_all()
        assert outcome.spec.log_path.read_bytes() == outcome.log

    # -- restarts ------------------------------------------------------------------------------------------------------

    async def test_restart_when_running_then_found_again_without_gap_or_repeat(self, lab: ExecutorLab) -> None:
        script = (
            "import os, time\nfor i in range(30):\n    print(i, flush=True)\n"
            '    print(\'::fastflow::{"metric": {"i": %d}}\' % i, flush=True)\n    time.sleep(0.03)'
        )
        spec = lab.spec(script)
        await lab.launch(spec)
        await lab.until_logged(spec, b" 3\n")
        lab.executor = await lab.reopen()
        assert spec.key in await lab.executor.find_all()
        outcome = await lab.finish(spec)
        assert outcome.exit.reason is None
        assert outcome.text("stdout") == b"".join(b"%d\n" % i for i in range(30))
        assert [e.data["i"] for e in outcome.events if e.kind == "metric"] == list(range(30))

    async def test_restart_when_ended_meanwhile_then_exit_is_found(self, lab: ExecutorLab) -> None:
        spec = lab.spec("import sys\nprint('end')\nsys.exit(4)")
        await lab.launch(spec)
        await lab.until_logged(spec, b"end")
        lab.executor = await lab.reopen()
        outcome = await lab.finish(spec)
        assert (outcome.exit.reason, outcome.exit.exit_code) == ("exit", 4)

    async def test_restart_when_running_then_can_be_stopped(self, lab: ExecutorLab) -> None:
        spec = lab.spec("import time\nprint('up', flush=True)\ntime.sleep(600)")
        await lab.launch(spec)
        await lab.until_logged(spec, b"up")
        lab.executor = await lab.reopen()
        await lab.executor.stop(spec.key, reason="cancelled", reason_text="after restart", grace=1)
        assert (await lab.finish(spec)).exit.reason_text == "after restart"

    # -- separation ----------------------------------------------------------------------------------------------------

    async def test_runs_when_two_at_once_then_do_not_see_each_other(self, lab: ExecutorLab) -> None:
        first = lab.spec("import time\nopen('mine', 'w').write('private')\nprint('up', flush=True)\ntime.sleep(600)")
        await lab.launch(first)
        await lab.until_logged(first, b"up")
        script = (
            "import os, glob\n"
            "seen = [p for p in os.listdir('/proc') if p.isdigit()]\nprint(len(seen))\n"
            f"print(glob.glob({str(lab.folder)!r} + '/**/*{first.key.run_id}*', recursive=True))\n"
            "print(glob.glob('/tmp/*'))\nopen('/tmp/x', 'w').write('x')"
        )
        outcome = await lab.run(script)
        await lab.executor.stop(first.key, reason="cancelled", reason_text="done", grace=0)
        await lab.finish(first)
        count, found, _tmp = outcome.text("stdout").decode().splitlines()
        assert int(count) <= 3 and found == "[]"

    async def test_state_when_left_in_modules_then_next_run_starts_fresh(self, lab: ExecutorLab) -> None:
        script = (
            "import json, os, random, sys\nprint(getattr(json, 'left_over', None), os.environ.get('LEFT'))\n"
            "json.left_over = 1\nos.environ['LEFT'] = '1'\nsys.path.append('/left')\nprint('/left' in sys.path[:-1])\n"
            "print(random.random())"
        )
        draws = set()
        for _ in range(self.fresh_starts):
            outcome = await lab.run(script, warm_modules=("json", "random"))
            lines = outcome.text("stdout").decode().splitlines()
            assert lines[:2] == ["None None", "False"]
            draws.add(lines[2])
        assert len(draws) == self.fresh_starts

    async def test_secret_when_printed_in_any_form_and_chunking_then_masked(self, lab: ExecutorLab) -> None:
        script = (
            "import base64, json, os, sys, time, urllib.parse\ns = os.environ['TOKEN']\n"
            "print('plain', s)\nprint('b64', base64.b64encode(s.encode()).decode())\n"
            "print('auth', base64.b64encode(('user:' + s).encode()).decode())\n"
            "print('url', urllib.parse.quote(s), urllib.parse.quote_plus(s))\nprint(json.dumps({'t': s}))\n"
            "for byte in ('split ' + s + ' end\\n').encode():\n    os.write(1, bytes([byte])); time.sleep(0.001)\n"
            "sys.stderr.write(s)\nraise RuntimeError('with ' + s)"
        )
        outcome = await lab.run(script, env={"TOKEN": SECRET}, secrets=(SECRET,))
        raw = SECRET.encode()
        forbidden = [raw, base64.b64encode(raw), base64.b64encode(b"user:" + raw)[8:-4], quote(SECRET).encode()]
        assert all(form not in outcome.log for form in forbidden)
        assert b"split *** end" in outcome.text("stdout")
        assert SECRET not in (outcome.exit.reason_text or "")

    async def test_network_when_off_then_unreachable(self, lab: ExecutorLab) -> None:
        script = (
            "import socket\ntry:\n    socket.create_connection(('192.0.2.1', 9), timeout=2)\nexcept OSError as e:\n    print(e)\n"
            "print(socket.if_nameindex())"
        )
        outcome = await lab.run(script, network=False)
        assert outcome.exit.isolation["network"] is False
        assert b"unreachable" in outcome.text("stdout") and b"eth" not in outcome.text("stdout")

    # -- limits ----------------------------------------------------------------------------------------------------------

    async def test_memory_when_over_limit_then_oom_with_the_limit_named(self, lab: ExecutorLab) -> None:
        script = "chunks = []\nwhile True: chunks.append(bytearray(4 << 20))"
        outcome = await lab.run(script, limits=Limits(memory_bytes=100 * MEGABYTE))
        assert outcome.exit.reason == "oom" and "100 MB" in (outcome.exit.reason_text or "")
        assert outcome.last_line == f"[fastflow] the run was ended: {outcome.exit.reason_text}"

    async def test_processes_when_over_limit_then_refused(self, lab: ExecutorLab) -> None:
        script = (
            "import os, time\nmade = 0\ntry:\n    for _ in range(200):\n        if os.fork() == 0:\n            time.sleep(600)\n"
            "        made += 1\nexcept OSError as e:\n    print('refused after', made)"
        )
        outcome = await lab.run(script, limits=Limits(pids=30))
        told = lab.executor.describe().get(
            "pids_limit"
        )  # without namespaces and control groups an ordinary user has none
        assert b"refused after" in outcome.text("stdout") or told == "none"

    async def test_cpu_when_over_limit_then_slowed_down(self, lab: ExecutorLab) -> None:
        script = "import time\nend = time.time() + 2\nwhile time.time() < end: pass\nprint(time.process_time())"
        outcome = await lab.run(script, limits=Limits(cpus=0.2))
        used = float(outcome.text("stdout"))
        assert outcome.exit.isolation["cgroup"] is None or used < 1.0, "0.4 s and a bit are what it may use in 2 s"

    async def test_file_when_over_limit_then_write_fails(self, lab: ExecutorLab) -> None:
        script = "try:\n    open('big', 'wb').write(b'x' * 3_000_000)\nexcept OSError as e:\n    print('refused', e.strerror)"
        outcome = await lab.run(script, limits=Limits(file_size_bytes=MEGABYTE))
        assert b"refused File too large" in outcome.text("stdout")

    async def test_log_when_over_limit_then_cut_visibly_with_its_end(self, lab: ExecutorLab) -> None:
        outcome = await lab.run("for i in range(100_000): print('line', i)", log_max_bytes=MEGABYTE)
        assert outcome.exit.reason is None
        assert len(outcome.log) < 1.2 * MEGABYTE
        assert b"[fastflow] the log reached its limit" in outcome.log
        assert outcome.text("stdout").startswith(b"line 0\n") and outcome.text("stdout").endswith(b"line 99999\n")

    # -- results ---------------------------------------------------------------------------------------------------------

    async def test_artifacts_when_left_then_found(self, lab: ExecutorLab) -> None:
        script = "import os\nwith open(os.environ['FASTFLOW_ARTIFACTS'] + '/table.csv', 'w') as f: f.write('a,b\\n')"
        outcome = await lab.run(script)
        assert (outcome.spec.artifacts_dir / "table.csv").read_text() == "a,b\n"

    async def test_told_lines_when_printed_then_events_and_not_in_log(self, lab: ExecutorLab) -> None:
        script = (
            "print('before')\n"
            'print(\'::fastflow::{"metric": {"auc": 0.81}}\')\n'
            'print(\'::fastflow::{"output": {"rows": 3}}\')\n'
            'print(\'::fastflow::{"progress": 1.0, "step": "fit", "total": 10}\')\n'
            "print('::fastflow::{broken')\nprint('after')"
        )
        outcome = await lab.run(script)
        told = {event.kind: dict(event.data) for event in outcome.events if event.kind != "sample"}
        assert told == {
            "metric": {"auc": 0.81},
            "output": {"rows": 3},
            "progress": {"progress": 1.0, "step": "fit", "total": 10},
        }
        lines = outcome.text("stdout").splitlines()
        assert lines[0] == b"before" and lines[-1] == b"after" and lines[1] == b"::fastflow::{broken"
        assert lines[2].startswith(b"[fastflow] the line above is not JSON")
        offsets = [event.offset for event in outcome.events]
        assert offsets == sorted(set(offsets))

    async def test_usage_when_ended_then_measured(self, lab: ExecutorLab) -> None:
        outcome = await lab.run("x = bytearray(50 << 20)\nsum(range(2_000_000))")
        assert (outcome.exit.peak_memory_bytes or 0) > 50 * MEGABYTE
        assert (outcome.exit.cpu_seconds or 0) > 0.01

    def processes_of(self, key: RunKey) -> list[int]:
        """Living processes of a run, by the run id in their environment."""
        mark = f"FASTFLOW_RUN_ID={key.run_id}".encode()
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (folder / "environ").read_bytes():
                    found.append(int(folder.name))
            except OSError:
                continue
        return found
