"""A wrong setting stops the start and is named."""

from pathlib import Path

import pytest

from fastflow.kit.errors import InvalidInput
from fastflow.settings import load_settings, misspelt_settings


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_load_settings_when_several_are_wrong_then_each_is_named_with_its_problem(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {
        "MAX_CONCURRENT_RUNS": "many",
        "STOP_GRACE": "soon",
        "RUN_MEMORY": "huge",
        "PORT": "70000",
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InvalidInput) as caught:
        load_settings()
    assert set(caught.value.fields) == {"MAX_CONCURRENT_RUNS", "STOP_GRACE", "RUN_MEMORY", "PORT"}
    assert '"90s"' in caught.value.fields["STOP_GRACE"]
    assert all(name in caught.value.message for name in caught.value.fields)


def test_load_settings_when_values_are_written_as_people_do_then_they_are_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {"STOP_GRACE": "1m", "RUN_MEMORY": "2GB", "RUN_WRITABLE_PATHS": "/a:/b", "LOGS_DIR": ""}.items():
        monkeypatch.setenv(name, value)
    settings = load_settings(port=9000, host=None)
    assert (settings.stop_grace, settings.run_memory, settings.port) == (60.0, 2 * 2**30, 9000)
    assert settings.run_writable_paths == (Path("/a"), Path("/b"))
    assert (settings.host, settings.logs_dir) == ("127.0.0.1", Path.cwd() / "logs")


def test_load_settings_when_an_env_file_is_there_then_the_environment_wins_over_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path(".env").write_text("PORT=1234\nHOST=0.0.0.0\n")
    monkeypatch.setenv("PORT", "4321")
    settings = load_settings()
    assert (settings.port, settings.host) == (4321, "0.0.0.0")


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("PORT", "abc", "'abc' is not a whole number from 0 to 65535"),
        ("PORT", "70000", "'70000' is more than 65535, the most allowed"),
        ("MAX_CONCURRENT_RUNS", "0", "'0' is less than 1, the least allowed"),
        ("COOKIE_SECURE", "perhaps", "'perhaps' is not true or false"),
        ("LOG_LEVEL", "LOUD", "'LOUD' is none of DEBUG, INFO, WARNING, ERROR"),
        (
            "RUN_MEMORY",
            "huge",
            '\'huge\' is not a size. Write bytes as a whole number, or text such as "512MB" or "2GB".',
        ),
    ],
)
def test_load_settings_when_one_is_wrong_then_its_value_and_what_it_takes_are_told(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, problem: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidInput) as caught:
        load_settings()
    assert caught.value.fields == {name: problem}
    assert ".env" in caught.value.hint


def test_load_settings_when_a_secret_is_wrong_then_it_is_not_told() -> None:
    with pytest.raises(InvalidInput) as caught:
        load_settings(encryption_key=["hunter2"])
    assert "ENCRYPTION_KEY" in caught.value.fields
    assert "hunter2" not in str(caught.value) + str(caught.value.fields)


def test_load_settings_when_a_line_of_the_env_file_says_nothing_then_it_is_refused_with_its_number() -> None:
    Path(".env").write_text("PORT=1234\nnot a setting at all\n# a comment\n")
    with pytest.raises(InvalidInput) as caught:
        load_settings()
    assert caught.value.message == f"{Path('.env').absolute()} has lines that cannot be read: 2."
    assert caught.value.fields == {".env:2": "is not NAME=value"}


def test_misspelt_settings_when_a_name_is_nearly_one_then_the_one_that_is_meant(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path(".env").write_text("MAX_CONCURENT_RUNS=3\nPOSTGRES_PASSWORD=x\nport=1\n")
    monkeypatch.setenv("PORTT", "1")
    monkeypatch.setenv("HOSTNAME", "box")
    assert misspelt_settings() == {"MAX_CONCURENT_RUNS": "MAX_CONCURRENT_RUNS", "PORTT": "PORT"}


@pytest.mark.parametrize(
    "name",
    ["RAY_ADDRESS", "PUBLIC_URL", "SERVER_URL", "OIDC_ISSUER", "OTEL_EXPORTER_OTLP_ENDPOINT", "MAX_CONCURRENT_RUNS"],
)
def test_load_settings_when_an_address_with_a_password_is_refused_then_the_password_is_not_told(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheme = "ftp" if name.startswith("OTEL") else "https"
    monkeypatch.setenv(name, f"{scheme}://ada:hunter2@host:1/x")
    with pytest.raises(InvalidInput) as caught:
        load_settings()
    assert name in caught.value.fields and "hunter2" not in f"{caught.value} {caught.value.fields}"
