"""Passwords in addresses are shown nowhere."""

import json
import logging

import pytest

from fastflow.kit.addresses import take_credentials, without_credentials
from fastflow.kit.log_lines import JsonFormatter, LineFormatter
from fastflow.kit.value_problems import describe

PASSWORD = "hunter2"


@pytest.mark.parametrize(
    "url",
    [
        f"http://ada:{PASSWORD}@collector:4318/v1/traces",
        f"postgresql+pg8000://ada:{PASSWORD}@db/flow?sslmode=require",
        f"https://{PASSWORD}@git.example.org/acme/flows.git",
        f"acme @ git+https://ada:{PASSWORD}@github.com/acme/flows@v1",
        f"mailto://ada:{PASSWORD}@smtp.example.org",
        f"http://ada:pa/ss#{PASSWORD}@head:8265",  # not encoded as it should be
        f"http://ada:pa@{PASSWORD}@head:8265",
    ],
)
def test_address_when_it_holds_credentials_then_they_are_shown_nowhere(url: str) -> None:
    for text in (url, f"{url!r} is wrong", f"cannot reach {url}: refused"):
        told = without_credentials(text)
        assert PASSWORD not in told and "ada" not in told and "***@" in told
    record = logging.makeLogRecord(
        {"msg": "export failed: %s", "args": (url,), "levelname": "ERROR", "fields": {"url": url}}
    )
    assert PASSWORD not in LineFormatter("web").format(record)
    assert PASSWORD not in str(json.loads(JsonFormatter("web").format(record)))
    assert PASSWORD not in describe({"type": "url_parsing", "input": url, "msg": "no"})


@pytest.mark.parametrize(
    "text",
    [
        "git@github.com:acme/flows.git",
        "https://host:8000/x@y",
        "acme @ git+https://github.com/acme/flows@v1",
        "mail ada@example.org",
        "",
    ],
)
def test_text_when_no_address_holds_credentials_then_it_stays(text: str) -> None:
    assert without_credentials(text) == text


def test_credentials_when_there_is_no_password_then_it_is_empty() -> None:
    assert take_credentials("https://ada@host/x?y=1") == ("https://host/x?y=1", ("ada", ""))
