import pytest

from fastflow.kernel.environments.infra.interpreters import admits, own_interpreter


@pytest.mark.parametrize(
    ("request_", "fits"),
    [
        ("3", True),
        ("3.11", True),
        ("3.11.7", True),
        (">=3.9", True),
        (">=3.9,<3.12", True),
        ("~=3.11.0", True),
        ("==3.11.*", True),
        ("3.1", False),
        ("3.12", False),
        (">=3.12", False),
        ("pypy@3.11", False),
        ("/usr/bin/python3", False),
        (">=banana", False),
        ("", False),
    ],
)
def test_request_when_compared_with_the_server_then_only_a_sure_fit_counts(request_: str, fits: bool) -> None:
    assert admits(request_, "cpython-3.11.7") is fits
    assert admits(request_, "pypy-3.11.7") is False


def test_own_interpreter_when_asked_for_then_it_is_the_one_outside_any_virtual_environment() -> None:
    own = own_interpreter()
    assert own.path.is_file()
    assert not own.path.is_symlink()
    assert own.version.startswith("cpython-3.")
