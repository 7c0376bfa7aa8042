"""Body and headers to parameters."""

from typing import Any

import pytest

from fastflow.kernel.webhooks.domain.errors import MappingFailed
from fastflow.kernel.webhooks.domain.mapping import make_params
from fastflow.kernel.webhooks.domain.signatures import Call
from fastflow.kernel.webhooks.domain.webhook import WebhookDefinition

BODY = b'{"a": {"b": [1, {"c/d": "x", "~": null}]}, "": 0}'


def params(mapping: dict[str, str], body: bytes = BODY, **values: Any) -> dict[str, Any]:
    definition = WebhookDefinition(pipeline_name="demo", mapping=mapping, **values)
    return make_params(definition, Call(headers={"x-event": "push"}, body=body))


@pytest.mark.parametrize(
    ("pointer", "value"),
    [("/a/b/0", 1), ("/a/b/1/c~1d", "x"), ("/a/b/1/~0", None), ("/", 0), ("header:X-Event", "push"), ("/a/b/1?", None)],
)
def test_pointer_when_it_points_at_something_then_that_is_the_parameter(pointer: str, value: object) -> None:
    made = params({"P": pointer})
    assert made["P"] == (value if pointer != "/a/b/1?" else {"c/d": "x", "~": None})


@pytest.mark.parametrize("pointer", ["/x", "/a/b/2", "/a/b/-1", "/a/b/1/c", "/a/b/0/0", "header:Nope", "/a/b/\u0661"])
def test_pointer_when_nothing_is_there_then_the_parameter_is_named(pointer: str) -> None:
    with pytest.raises(MappingFailed) as caught:
        params({"P": pointer})
    assert caught.value.fields == {"P": f"nothing is at {pointer}"}
    assert params({"P": f"{pointer}?"}) == {}


def test_body_when_whole_then_its_members_are_the_parameters() -> None:
    assert params({}, whole_body=True)["a"]["b"][0] == 1
    assert params({"P": ""})["P"]["a"]["b"][0] == 1
    assert params({}, b"not looked at") == {}
    assert params({}, b" ", whole_body=True) == {}


@pytest.mark.parametrize("body", [b"[1]", b"{", b"\xff", b'"x"'])
def test_body_when_it_is_no_object_then_it_is_said(body: bytes) -> None:
    with pytest.raises(MappingFailed, match="no JSON"):
        params({}, body, whole_body=True)


def test_form_when_it_has_a_payload_then_that_is_the_body() -> None:
    definition = WebhookDefinition(pipeline_name="demo", mapping={"P": "/a"})
    headers = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
    assert make_params(definition, Call(headers=headers, body=b"payload=%7B%22a%22%3A7%7D")) == {"P": 7}
    assert make_params(definition, Call(headers=headers, body=b"a=x&b=y")) == {"P": "x"}
