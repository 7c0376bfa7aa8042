"""Webhooks: every problem by field, and who may call."""

from typing import Any

import pytest

from fastflow.kernel.webhooks.domain.errors import InvalidWebhook
from fastflow.kernel.webhooks.domain.webhook import WebhookDefinition, check, is_allowed


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"name": "a b"}, "name"),
        ({"scheme": "md5"}, "scheme"),
        ({"tolerance": 0}, "tolerance"),
        ({"rate_per_minute": 0}, "rate_per_minute"),
        ({"mapping": {"P": "a/b"}}, "mapping.P"),
        ({"mapping": {"P": "/a~2"}}, "mapping.P"),
        ({"mapping": {"P": "header:"}}, "mapping.P"),
        ({"mapping": {"P": "header:Authorization"}}, "mapping.P"),
        ({"mapping": {"Q": "/a"}}, "mapping.Q"),
        ({"mapping": {"P": "/a"}, "whole_body": True}, "mapping"),
        ({"addresses": ("10.0.0.1/8",)}, "addresses"),
        ({"addresses": ("example.org",)}, "addresses"),
    ],
)
def test_webhook_when_wrong_then_the_field_is_named(values: dict[str, Any], field: str) -> None:
    schema = {"properties": {"P": {}}, "additionalProperties": False}
    with pytest.raises(InvalidWebhook) as caught:
        check(WebhookDefinition(pipeline_name="demo", **values), schema)
    assert set(caught.value.fields) == {field}


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("192.0.2.7", True),
        ("192.0.2.8", False),
        (None, False),
        ("x", False),
    ],
)
def test_address_when_there_is_a_list_then_only_those_on_it_may_call(address: str | None, allowed: bool) -> None:
    webhook = WebhookDefinition(pipeline_name="demo", addresses=("10.0.0.0/8", "192.0.2.7"))
    assert is_allowed(webhook, address) is allowed
    assert is_allowed(WebhookDefinition(pipeline_name="demo"), address)
