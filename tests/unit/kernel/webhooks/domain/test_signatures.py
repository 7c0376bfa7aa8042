"""Signatures: the published examples, and everything that is not quite one."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime

import pytest

from fastflow.kernel.webhooks.domain.errors import CallTooOld, SignatureRefused
from fastflow.kernel.webhooks.domain.signatures import Call, verify
from fastflow.kernel.webhooks.domain.webhook import Scheme

NOW = datetime.fromtimestamp(1_614_265_330, UTC)
WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_github_when_signed_as_its_documentation_shows_then_it_is_taken() -> None:
    # Source: docs.github.com, "Validating webhook deliveries", the values for testing
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    call = Call(headers={"x-hub-signature-256": signature}, body=b"Hello, World!")
    first = verify("github", "It's a Secret to Everybody", call, NOW, 300)
    again = Call(headers={**call.headers, "x-github-delivery": "another"}, body=call.body)
    assert first == verify("github", "It's a Secret to Everybody", again, NOW, 300)


def test_standard_when_signed_as_its_specification_shows_then_it_is_taken() -> None:
    # Source: the Standard Webhooks libraries' own example
    call = Call(
        headers={
            "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "webhook-timestamp": "1614265330",
            "webhook-signature": "v1,wrong v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        },
        body=b'{"test": 2432232314}',
    )
    assert verify("standard", WHSEC, call, NOW, 300) == "id:msg_p5jXN8AQM9LWM0D4loKWxJek"


def stripe(body: bytes, moment: int, secret: str = "s" * 20) -> Call:
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return Call(headers={"stripe-signature": f"t={moment},v0=old,v1={digest}"}, body=body)


def test_stripe_when_a_delivery_is_signed_anew_then_it_is_known_by_its_id() -> None:
    moment = int(NOW.timestamp())
    first = verify("stripe", "s" * 20, stripe(b'{"id": "evt_1"}', moment), NOW, 300)
    assert first == verify("stripe", "s" * 20, stripe(b'{"id": "evt_1"}', moment + 7), NOW, 300) == "id:evt_1"


@pytest.mark.parametrize("off", [-301, 301])
def test_time_when_too_far_off_then_the_call_is_refused(off: int) -> None:
    with pytest.raises(CallTooOld, match="301 s"):
        verify("stripe", "s" * 20, stripe(b"{}", int(NOW.timestamp()) + off), NOW, 300)


@pytest.mark.parametrize(
    ("scheme", "headers"),
    [
        ("github", {}),
        ("github", {"x-hub-signature-256": "sha256="}),
        ("github", {"x-hub-signature-256": "sha256=" + "0" * 64}),
        ("github", {"x-hub-signature-256": "sha256=\u00e4"}),
        ("standard", {"webhook-timestamp": "1614265330", "webhook-signature": "v1,x"}),
        ("standard", {"webhook-id": "m", "webhook-timestamp": "1614265330"}),
        ("standard", {"webhook-id": "m", "webhook-timestamp": "1614265330", "webhook-signature": "v1,x"}),
        ("stripe", {"stripe-signature": "t=1614265330"}),
        ("stripe", {"stripe-signature": "t=,v1=0"}),
        ("stripe", {"stripe-signature": ",,,=,"}),
    ],
)
def test_signature_when_missing_or_wrong_then_refused_without_showing_it(
    scheme: Scheme, headers: dict[str, str]
) -> None:
    with pytest.raises(SignatureRefused) as caught:
        verify(scheme, "secret-secret-secret", Call(headers=headers, body=b"{}"), NOW, 300)
    assert "secret-secret" not in str(caught.value) and "0000" not in str(caught.value)


def test_standard_when_its_time_is_altered_then_the_signature_does_not_fit() -> None:
    body, key = b"{}", base64.b64decode(WHSEC.removeprefix("whsec_"))
    signature = base64.b64encode(hmac.new(key, b"m.1614265330." + body, hashlib.sha256).digest()).decode()
    headers = {"webhook-id": "m", "webhook-timestamp": "1614265331", "webhook-signature": f"v1,{signature}"}
    with pytest.raises(SignatureRefused, match="does not fit"):
        verify("standard", WHSEC, Call(headers=headers, body=body), NOW, 300)
