"""What cannot be put together says which setting is at fault; what is put together loads only what it needs."""

import subprocess
import sys
from pathlib import Path

import pytest

from fastflow.bootstrap import build_product
from fastflow.kit.errors import Unavailable
from fastflow.settings import Settings


@pytest.mark.parametrize("wrong", ["DATA_DIR", "LOGS_DIR"])
def test_product_when_a_folder_cannot_be_made_then_its_setting_is_named(tmp_path: Path, wrong: str) -> None:
    (tmp_path / "file").touch()
    folders = {name: tmp_path / ("file/x" if name == wrong else name) for name in ("DATA_DIR", "LOGS_DIR")}
    with pytest.raises(Unavailable) as caught:
        build_product(Settings(data_dir=folders["DATA_DIR"], logs_dir=folders["LOGS_DIR"], pipelines_dir=tmp_path))
    assert caught.value.fields == {wrong: "cannot be made"}
    assert wrong in caught.value.message and wrong in caught.value.hint


ONLY_IF_CONFIGURED = ("httpx", "joserfc", "authlib", "rich", "click", "docker", "ray", "apprise", "nicegui")


def test_server_when_it_has_no_provider_app_or_neighbour_then_it_starts_without_their_libraries(
    settings: Settings,
) -> None:
    code = (
        "import sys\nimport fastflow.runner\nfrom fastflow.bootstrap import build_product\n"
        "from fastflow.settings import Settings\nfrom fastflow.web import create_app\n"
        "data, logs, pipelines = sys.argv[1:]\n"
        "product = build_product(Settings(_env_file=None, data_dir=data, logs_dir=logs, pipelines_dir=pipelines))\n"
        "create_app(product)\nproduct.close()\n"
        f"print([name for name in {ONLY_IF_CONFIGURED!r} if name in sys.modules])"
    )
    folders = [str(settings.data_dir), str(settings.logs_dir), str(settings.pipelines_dir)]
    done = subprocess.run([sys.executable, "-c", code, *folders], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
