import subprocess
import sys

HEAVY = ("nicegui", "socketio", "jinja2", "websockets")


def test_interface_when_nobody_looks_then_the_framework_is_not_imported() -> None:
    code = (
        "import sys, fastflow.pages, fastflow.web, fastflow.ui.interface, fastflow.ui.rooms.overview.manifest, "
        "fastflow.ui.rooms.pipelines.manifest, fastflow.ui.rooms.runs.manifest, fastflow.kernel.http.server\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
