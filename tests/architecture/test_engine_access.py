"""The container engine's socket is as good as root on its machine: only the runner's part may reach for it."""

import ast
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "fastflow"
DOCKER = "fastflow.kernel.executors.docker"
SDK_USERS = {"kernel/executors/docker/engine.py", "testing/docker_engine.py"}
EXECUTOR_USERS = {
    "kernel/executors/registry.py",  # makes the executor, which the runner opens
    "kernel/environments/infra/image_builder.py",  # builds for images, in the runner
    "kernel/environments/infra/image_uv.py",
    "cli/engine_check.py",  # `fastflow doctor`
    "cli/engine_gate.py",  # `fastflow engine-gate`
}

WEB_PROCESS = """
import asyncio, socket, sys
from pathlib import Path

from starlette.testclient import TestClient

from fastflow.bootstrap import build_product
from fastflow.settings import Settings
from fastflow.web import create_app

folder = Path(sys.argv[1])
(folder / "pipelines").mkdir()
(folder / "pipelines" / "hello.py").write_text("print('hello')")
engine = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
engine.bind(str(folder / "engine.sock"))
engine.listen(1)
engine.setblocking(False)
settings = Settings(
    _env_file=None, data_dir=folder / "data", logs_dir=folder / "logs", pipelines_dir=folder / "pipelines",
    executor="docker", docker_host=f"unix://{folder}/engine.sock",
)
product = build_product(settings)
from fastflow.kit.identity import SYSTEM
with TestClient(create_app(product, local_actor=SYSTEM)) as client:
    assert client.get("/health").status_code == 200
    submitted = client.post("/pipelines/hello/run", json={"params": {}})
    assert submitted.status_code == 202 and submitted.json()["executor"] == "docker", submitted.text
    assert client.get("/environments").status_code == 200
product.close()
try:
    engine.accept()
    raise SystemExit("the engine was asked")
except BlockingIOError:
    pass
loaded = [name for name in sys.modules if name.partition(".")[0] == "docker" or name.startswith(f"{sys.argv[2]}.")]
raise SystemExit(f"loaded: {loaded}" if loaded else 0)
"""


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def _users(prefix: str) -> set[str]:
    return {
        str(path.relative_to(SOURCE))
        for path in SOURCE.rglob("*.py")
        if any(name == prefix or name.startswith(f"{prefix}.") for name in _imports(path))
    }


def test_sdk_when_searched_then_one_module_of_the_product_uses_it() -> None:
    assert _users("docker") == SDK_USERS


def test_docker_executor_when_searched_then_only_the_runners_parts_and_the_command_line_know_it() -> None:
    strangers = {
        user for user in _users(DOCKER) if not user.startswith(("kernel/executors/docker/", "testing/"))
    } - EXECUTOR_USERS
    assert strangers == set()


def test_web_process_when_it_serves_then_it_neither_loads_nor_asks_the_engine(data_dir: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WEB_PROCESS, str(data_dir), DOCKER], capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr[-3000:]
