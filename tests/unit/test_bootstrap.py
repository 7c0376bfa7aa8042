"""What cannot be put together says which setting is at fault."""

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
