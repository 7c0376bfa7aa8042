"""A real `fastflow serve` in folders of its own, for tests that look at the product from outside."""

import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PATIENCE_SECONDS = 60.0


class Served:
    """Starts, watches and stops the server; what it says is kept line by line.

    Args:
        folder: gets `pipelines`, `data` and `logs`; an unprivileged run must be able to pass it.
        settings: more environment variables.
        prefix: put before every command, such as words that start it as another user.
    """

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None, prefix: Sequence[str] = ()) -> None:
        self.folder = folder
        self._prefix = list(prefix)
        self.pipelines = folder / "pipelines"
        self.data = folder / "data"
        self.pipelines.mkdir(exist_ok=True)
        self.environment = {
            **{name: value for name, value in os.environ.items() if not _is_ours(name)},
            "PIPELINES_DIR": str(self.pipelines),
            "DATA_DIR": str(self.data),
            "LOGS_DIR": str(folder / "logs"),
            "PYTHONPATH": os.pathsep.join(sys.path),
            **(settings or {}),
        }
        self.said: list[str] = []
        self.url = ""
        self.token = ""
        self.process: subprocess.Popen[str] | None = None
        self._lines: queue.Queue[str | None] = queue.Queue()

    def add(self, name: str, script: str) -> None:
        """Put a pipeline into PIPELINES_DIR."""
        (self.pipelines / f"{name}.py").write_text(script)

    def cli(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """One command, to its end."""
        return subprocess.run(
            self.command(*arguments),
            env={**self.environment, **environment},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )

    def command(self, *arguments: str) -> list[str]:
        """The command line."""
        return [*self._prefix, sys.executable, "-m", "fastflow", *arguments]

    def start(self, *arguments: str) -> None:
        """Start the server and wait for its ready line."""
        self.process = subprocess.Popen(
            self.command("serve", "--port", "0", *arguments),
            env=self.environment,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._lines = queue.Queue()
        threading.Thread(target=self._listen, args=(self.process, self._lines), daemon=True).start()
        self.url = re.findall(r"http://\S+", self.await_line("is ready at"))[0]

    @staticmethod
    def _listen(process: "subprocess.Popen[str]", lines: "queue.Queue[str | None]") -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line.rstrip("\n"))
        lines.put(None)

    def await_line(self, text: str) -> str:
        """The next line that holds the text."""
        while True:
            line = self._lines.get(timeout=PATIENCE_SECONDS)
            if line is None:
                raise AssertionError(f"the server ended before it said {text!r}:\n" + "\n".join(self.said))
            self.said.append(line)
            if text in line:
                return line

    def child(self, name: str) -> int:
        """The process id of the web or runner process."""
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for pid in children:
            if Path(f"/proc/{pid}/comm").read_text() == f"fastflow-{name}\n":
                return int(pid)
        raise AssertionError(f"no {name} process among {children}")

    def call(self, method: str, path: str, body: Any = None, *, token: str | None = None) -> tuple[int, Any]:
        """One request: status and JSON."""
        request = urllib.request.Request(  # noqa: S310 - of our own server
            self.url + path,
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={"Authorization": f"Bearer {token or self.token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:  # noqa: S310
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read() or b"null")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; the exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE_SECONDS)
        while (line := self._lines.get(timeout=PATIENCE_SECONDS)) is not None:
            self.said.append(line)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process = None
        return code

    def close(self) -> None:
        """End it whatever its state."""
        if self.process is not None:
            self.stop(signal.SIGTERM)


def _is_ours(name: str) -> bool:
    """Whether a user's shell would not have the variable; each start would compile all of the source without bytecode."""
    return name.startswith("FASTFLOW_") or name == "PYTHONDONTWRITEBYTECODE"
