"""Webhooks on the wire."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints
from pydantic.config import JsonDict

from fastflow.kernel.http.schemas import PageOut, RequestBody
from fastflow.kernel.webhooks.domain.webhook import MAX_ADDRESSES, Scheme, Webhook, WebhookDefinition
from fastflow.kernel.webhooks.service import Accepted, Made
from fastflow.kit.secret_text import SecretText

_PRINTABLE = r"^[^\x00-\x1f\x7f]*$"
PipelineName = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_PRINTABLE)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
Source = Annotated[str, StringConstraints(max_length=300, pattern=_PRINTABLE)]
Mapping = dict[Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_PRINTABLE)], Source]
Addresses = Annotated[list[Annotated[str, StringConstraints(max_length=100)]], Field(max_length=MAX_ADDRESSES)]
Tolerance = Annotated[float, Field(ge=1, le=86_400)]
Rate = Annotated[int, Field(ge=1, le=10_000, strict=True)]
_EXAMPLE: JsonDict = {"pipeline_name": "deploy", "scheme": "github", "mapping": {"REPOSITORY": "/repository/full_name"}}
_MAPPING = (
    "Parameter -> JSON pointer into the body (empty: all of it), or header:NAME; with ? at the end it may be missing."
)


class WebhookIn(RequestBody):
    """A webhook to make."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    pipeline_name: PipelineName
    name: Name | None = Field(default=None, description="Unique among the pipeline's webhooks; null: one is found.")
    scheme: Scheme = Field(
        "none",
        description="How calls are signed: github (X-Hub-Signature-256), standard (webhook-id, webhook-timestamp, "
        "webhook-signature), stripe (Stripe-Signature); none: the key in the address is all there is.",
    )
    secret: SecretStr | None = Field(default=None, max_length=200, description="Null: one is made and shown once.")
    tolerance: Tolerance = Field(300.0, description="Seconds by which the signed time may be off.")
    mapping: Mapping = Field(default_factory=dict, max_length=100, description=_MAPPING)
    whole_body: bool = Field(False, description="The body's own members are the parameters.")
    addresses: Addresses = Field(default_factory=list, description="Networks calls may come from; empty: any.")
    rate_per_minute: Rate = 60

    def definition(self) -> WebhookDefinition:
        """What is asked for."""
        given: dict[str, Any] = {name: getattr(self, name) for name in WebhookDefinition.__dataclass_fields__}
        return WebhookDefinition(**{**given, "addresses": tuple(self.addresses)})

    def signing(self) -> SecretText | None:
        """What calls are signed with, if it is given."""
        return None if self.secret is None else SecretText(self.secret.get_secret_value())


class WebhookChangeIn(RequestBody):
    """What to change; what is left away stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"enabled": False}]})

    name: Name | None = None
    tolerance: Tolerance | None = None
    mapping: Mapping | None = Field(default=None, max_length=100, description=_MAPPING)
    whole_body: bool | None = None
    addresses: Addresses | None = None
    rate_per_minute: Rate | None = None
    enabled: bool | None = None

    def changes(self) -> dict[str, Any]:
        """Field -> new value, of the fields that were sent with one."""
        sent: dict[str, Any] = {
            name: value for name in self.model_fields_set if (value := getattr(self, name)) is not None
        }
        if "addresses" in sent:
            sent["addresses"] = tuple(sent["addresses"])
        if "enabled" in sent:
            sent["is_enabled"] = sent.pop("enabled")
        return sent


class RotateIn(RequestBody):
    """How to rotate."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"grace_seconds": 3600}]})

    secret: bool = Field(False, description="Another signing secret as well; it holds at once.")
    grace_seconds: Annotated[float, Field(ge=0, le=2_592_000)] = Field(
        0.0, description="How long the former key is taken too."
    )


class WebhookOut(BaseModel):
    """A webhook, without its key and secret."""

    id: str
    pipeline_name: str
    name: str
    scheme: Scheme
    tolerance: float
    mapping: dict[str, str]
    whole_body: bool
    addresses: list[str]
    rate_per_minute: int
    enabled: bool
    key_hint: str = Field(description="The end of its key.")
    former_key_until: datetime | None
    calls: int
    refused: int
    last_call_at: datetime | None
    last_refusal: str | None
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str

    @classmethod
    def of(cls, webhook: Webhook) -> "WebhookOut":
        """The webhook as the API shows it."""
        own = {name: getattr(webhook, name) for name in cls.model_fields if name != "enabled"}
        return cls(
            **{**own, "mapping": dict(webhook.mapping), "addresses": list(webhook.addresses)},
            enabled=webhook.is_enabled,
        )


class WebhookPage(PageOut[WebhookOut]):
    """One page of webhooks, oldest first."""


class MadeOut(WebhookOut):
    """A webhook with what is shown this once."""

    key: str = Field(description="The last part of its address; shown once.")
    path: str = Field(description="Its address on this server.")
    secret: str | None = Field(description="What calls are signed with; shown once, and only when it was made here.")

    @classmethod
    def of_made(cls, made: Made) -> "MadeOut":
        """The webhook as the API shows it once."""
        path = f"/webhooks/{made.webhook.pipeline_name}/{made.key}"
        return cls(**dict(WebhookOut.of(made.webhook)), key=made.key, path=path, secret=made.secret)


class AcceptedOut(BaseModel):
    """The run a call started."""

    run_id: str
    duplicate: bool = Field(description="True: this delivery had come before, and started this run then.")

    @classmethod
    def of(cls, accepted: Accepted) -> "AcceptedOut":
        """The answer to a call."""
        return cls(run_id=accepted.run_id, duplicate=accepted.is_duplicate)
