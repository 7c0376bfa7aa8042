import json

import pytest

from fastflow.diagnosis import read_findings
from fastflow.kit.errors import Unavailable


def test_findings_when_the_command_told_them_then_each_with_its_remedy() -> None:
    check = {"name": "clock", "level": "warning", "text": "late", "remedy": "Set it.", "ok": False}
    (found,) = read_findings(json.dumps({"ok": True, "checks": [check]}).encode(), b"")
    assert (found.name, found.level, found.text, found.remedy) == ("clock", "warning", "late", "Set it.")


@pytest.mark.parametrize("told", [b"", b"{}", b'{"checks": [{"name": "x"}]}', b"Traceback"])
def test_findings_when_it_told_none_then_what_it_said_instead(told: bytes) -> None:
    with pytest.raises(Unavailable, match="no room left"):
        read_findings(told, b"first\nno room left\n")
