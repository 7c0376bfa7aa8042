import subprocess
import sys
from pathlib import Path

ROOMS = sorted(
    path.parent.name for path in (Path(__file__).parents[3] / "src" / "fastflow" / "ui" / "rooms").glob("*/manifest.py")
)
HEAVY = ("nicegui", "socketio", "jinja2", "websockets")


def test_interface_when_nobody_looks_then_the_framework_is_not_imported() -> None:
    code = (
        "import sys, fastflow.pages, fastflow.web, fastflow.ui.interface, fastflow.kernel.http.server\n"
        + "".join(f"import fastflow.ui.rooms.{room}.manifest\n" for room in ROOMS)
        + f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
