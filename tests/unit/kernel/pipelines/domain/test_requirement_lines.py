import pytest

from fastflow.kernel.pipelines.domain.faults import FaultList
from fastflow.kernel.pipelines.domain.requirement_lines import read_requirements

ALLOWED = r"""
# a comment
six
pandas >= 2.2 , < 3  # why
requests[socks]==2.32.3 ; python_version >= "3.9"
numpy==2.0.0 \
    --hash=sha256:aa \
    --hash=sha256:bb
--index-url https://user@example.org/simple
--extra-index-url=https://example.org/simple
-i https://example.org/simple
-f ./wheels
--find-links=./wheels
--no-index
--pre
-r other.txt
-rother.txt
-c "pins.txt"
-e ./lib
-e git+https://example.org/lib.git@v1#egg=lib
https://example.org/lib-1.0-py3-none-any.whl
git+ssh://git@example.org/lib.git
lib @ https://example.org/lib.zip
lib @ git+https://example.org/lib.git@main
./local
../local
/srv/local
file:///srv/local
dist/lib-1.0.tar.gz
"""


def test_lines_when_pip_knows_them_then_no_fault(faults: FaultList) -> None:
    found = read_requirements(ALLOWED, "requirements.txt", faults)
    assert [str(fault) for fault in faults.found] == []
    assert [path for path, _ in found.includes] == ["other.txt", "other.txt", "pins.txt"]
    assert found.has_local_paths
    assert not found.is_empty


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("six\nfoo bar\n", 2, "'foo bar' is no requirement"),
        ("six==\n", 1, "is no requirement"),
        ("\n\n--indx-url x\n", 3, "Did you mean '--index-url'"),
        ("six \\\n  bar\nfine\n", 1, "is no requirement"),
        ("===\n", 1, "is no requirement"),
        ("import os\n", 1, "is no requirement"),
        ("<<<<<<< HEAD\n", 1, "is no requirement"),
    ],
)
def test_line_when_wrong_then_fault_names_its_first_line(faults: FaultList, text: str, line: int, said: str) -> None:
    read_requirements(text, "requirements.txt", faults)
    (fault,) = faults.found
    assert (fault.file, fault.line) == ("demo/requirements.txt", line)
    assert said in fault.message


def test_includes_when_in_a_subfolder_then_relative_to_their_own_file(faults: FaultList) -> None:
    found = read_requirements("-r ../a.txt\n-r b.txt\n", "more/x.txt", faults)
    assert found.includes == (("a.txt", 1), ("more/b.txt", 2))
