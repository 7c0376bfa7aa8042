"""Channels, rules, alerts and the outbox on the wire."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints
from pydantic.config import JsonDict

from fastflow.kernel.http.schemas import PageOut, RequestBody
from fastflow.kernel.notifications.domain.channel import (
    LONGEST_WINDOW,
    MAX_URL_LENGTH,
    MAX_URLS,
    Channel,
    ChannelSettings,
    QuietHours,
)
from fastflow.kernel.notifications.domain.outbox import State
from fastflow.kernel.notifications.domain.rule import (
    DAYS,
    FAILURE_REASONS,
    LONGEST_SECONDS,
    MAX_CHANNELS,
    Day,
    Event,
    Origin,
    RuleDefinition,
)
from fastflow.kernel.notifications.service.alerts import AlertView, SentView
from fastflow.kernel.notifications.service.channels import Trial
from fastflow.kernel.notifications.service.rules import RuleView
from fastflow.kit.secret_text import SecretText

_PRINTABLE = r"^[^\x00-\x1f\x7f]*$"
Name = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
PipelineName = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_PRINTABLE)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=_PRINTABLE)]
TimeOfDay = Annotated[str, StringConstraints(min_length=4, max_length=5, pattern=r"^[0-9]{1,2}:[0-9]{2}$")]
Seconds = Annotated[float, Field(gt=0, le=LONGEST_SECONDS)]
Urls = Annotated[
    list[Annotated[SecretStr, Field(max_length=MAX_URL_LENGTH)]],
    Field(min_length=1, max_length=MAX_URLS, description="Apprise URLs; kept encrypted and never shown again."),
]
Window = Annotated[float, Field(ge=0, le=LONGEST_WINDOW)]
Description = Annotated[str, StringConstraints(max_length=500, pattern=_PRINTABLE)]
_CHANNEL_EXAMPLE: JsonDict = {
    "name": "ops",
    "urls": ["mailto://user:password@example.org?to=ops@example.org"],
    "quiet": [{"start": "22:00", "end": "07:00", "timezone": "Europe/Berlin"}],
}
_RULE_EXAMPLE: JsonDict = {"pipeline_name": "rfm", "events": ["failure", "recovery"], "channels": ["ops"]}


class QuietHoursIn(RequestBody):
    """Hours in which messages are held back; what came meanwhile comes as one message at their end."""

    start: TimeOfDay = Field(examples=["22:00"])
    end: TimeOfDay = Field(description="Earlier than start: of the next day.", examples=["07:00"])
    timezone: Word = "UTC"
    days: list[Day] = Field(default_factory=lambda: list(DAYS), description="On which days they begin.")

    def hours(self) -> QuietHours:
        """What is asked for."""
        return QuietHours(start=self.start, end=self.end, timezone=self.timezone, days=tuple(self.days))


class ChannelIn(RequestBody):
    """A channel to make."""

    model_config = ConfigDict(json_schema_extra={"examples": [_CHANNEL_EXAMPLE]})

    name: Name
    urls: Urls
    description: Description = ""
    quiet: list[QuietHoursIn] = Field(default_factory=list, max_length=10)
    breaks_quiet: Word | None = Field(
        "critical",
        description="info, warning or critical: from here on messages are sent in quiet hours too; null: none.",
    )
    group_window: Window = Field(300.0, description="Seconds in which equal messages become one; 0: each is sent.")
    enabled: bool = True

    def settings(self) -> ChannelSettings:
        """How it shall behave."""
        return ChannelSettings(
            description=self.description,
            quiet=tuple(hours.hours() for hours in self.quiet),
            breaks_quiet=self.breaks_quiet,
            group_window=self.group_window,
            is_enabled=self.enabled,
        )

    def addresses(self) -> list[SecretText]:
        """Where it sends to."""
        return _secret(self.urls)


class ChannelChangeIn(RequestBody):
    """What to change; what is left away stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"enabled": False}]})

    urls: Urls | None = None
    description: Description | None = None
    quiet: list[QuietHoursIn] | None = Field(default=None, max_length=10)
    breaks_quiet: Word | None = None
    group_window: Window | None = None
    enabled: bool | None = None

    def changes(self) -> dict[str, Any]:
        """Field of the settings -> new value, of the fields that were sent; null empties `breaks_quiet` alone."""
        sent: dict[str, Any] = {}
        for name in self.model_fields_set - {"urls"}:
            value = getattr(self, name)
            if value is None and name != "breaks_quiet":
                continue
            if name == "quiet":
                value = tuple(hours.hours() for hours in value)
            sent["is_enabled" if name == "enabled" else name] = value
        return sent

    def addresses(self) -> list[SecretText] | None:
        """Where it sends to; None: that stays."""
        return None if self.urls is None else _secret(self.urls)


def _secret(urls: list[SecretStr]) -> list[SecretText]:
    return [SecretText(url.get_secret_value().strip()) for url in urls]


class QuietHoursOut(BaseModel):
    """Hours in which messages are held back."""

    start: str
    end: str
    timezone: str
    days: list[Day]


class ChannelOut(BaseModel):
    """A channel, without its addresses."""

    name: str
    kinds: list[str] = Field(description="What its addresses are, such as mailto.")
    description: str
    quiet: list[QuietHoursOut]
    breaks_quiet: str | None
    group_window: float
    enabled: bool
    dead: bool = Field(description="True: the last messages were all given up.")
    failures: int = Field(description="Messages in a row that were given up.")
    last_error: str | None
    last_sent_at: datetime | None
    last_failed_at: datetime | None
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str

    @classmethod
    def of(cls, channel: Channel) -> "ChannelOut":
        """The channel as the API shows it."""
        around = {
            "quiet": [QuietHoursOut.model_validate(hours, from_attributes=True) for hours in channel.quiet],
            "enabled": channel.is_enabled,
            "dead": channel.is_dead,
            "kinds": list(channel.kinds),
        }
        return cls(**{name: getattr(channel, name) for name in cls.model_fields if name not in around}, **around)


class ChannelPage(PageOut[ChannelOut]):
    """One page of channels, by name."""


class TrialOut(BaseModel):
    """What became of a test message."""

    delivered: bool
    problem: str | None = Field(description="Why it did not reach every address.")
    channel: ChannelOut

    @classmethod
    def of(cls, trial: Trial) -> "TrialOut":
        """The outcome as the API shows it."""
        return cls(delivered=trial.problem is None, problem=trial.problem, channel=ChannelOut.of(trial.channel))


class RuleIn(RequestBody):
    """A rule to make, or the whole of what one shall be."""

    model_config = ConfigDict(json_schema_extra={"examples": [_RULE_EXAMPLE]})

    pipeline_name: PipelineName | None = Field(default=None, description="Null: every pipeline.")
    name: Name | None = Field(default=None, description="Unique among the pipeline's rules; null: one is found.")
    events: list[Event] = Field(min_length=1, max_length=10, description="What it tells of.")
    channels: list[Word] = Field(min_length=1, max_length=MAX_CHANNELS, description="Names of the channels it tells.")
    severity: Word | None = Field(
        default=None, description="info, warning or critical; null: the usual one of each event."
    )
    reasons: list[Word] = Field(
        default_factory=lambda: list(FAILURE_REASONS), max_length=10, description="failure: of which reasons."
    )
    after: Seconds = Field(300.0, description="late: seconds between due time and start.")
    factor: float | None = Field(2.0, description="slow: so many times the median of earlier runs; null: not used.")
    mad: float | None = Field(
        None, description="slow: so many median absolute deviations above the median; null: not used."
    )
    min_history: int = Field(5, ge=2, le=50, description="slow: successful runs there must be.")
    by: TimeOfDay | None = Field(None, description="deadline: time of day, such as 08:00.")
    timezone: Word = Field("UTC", description="deadline: IANA name.")
    days: list[Day] = Field(default_factory=lambda: list(DAYS), max_length=7, description="deadline: on which days.")
    within: Seconds = Field(86_400.0, description="deadline: seconds before it in which a success counts.")
    repeat_every: Seconds | None = Field(
        None, description="Seconds after which it is told again until somebody acknowledges it; null: once."
    )
    enabled: bool = True

    def definition(self) -> RuleDefinition:
        """What is asked for."""
        given: dict[str, Any] = {name: getattr(self, name) for name in RuleDefinition.__dataclass_fields__}
        lists: dict[str, Any] = {name: tuple(value) for name, value in given.items() if isinstance(value, list)}
        return RuleDefinition(**{**given, **lists})


class RuleOut(BaseModel):
    """A rule."""

    id: str
    pipeline_name: str | None = Field(description="Null: every pipeline.")
    name: str
    origin: Origin = Field(description="code: declared in the pipeline's settings, which alone change it.")
    events: list[Event]
    channels: list[str]
    severity: str | None
    reasons: list[str]
    after: float
    factor: float | None
    mad: float | None
    min_history: int
    by: str | None
    timezone: str
    days: list[Day]
    within: float
    repeat_every: float | None
    enabled: bool
    next_check_at: datetime | None = Field(description="deadline: the next one.")
    problem: str | None = Field(description="What keeps it from telling anybody.")
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str

    @classmethod
    def of(cls, view: RuleView) -> "RuleOut":
        """The rule as the API shows it."""
        around = {"enabled": view.rule.is_enabled, "problem": view.problem}
        own = {name: getattr(view.rule, name) for name in cls.model_fields if name not in around}
        return cls(**own, **around)


class RulePage(PageOut[RuleOut]):
    """One page of rules, oldest first."""


class AlertOut(BaseModel):
    """Something a rule told of."""

    id: str
    rule_id: str
    rule_name: str
    event: Event
    severity: str
    pipeline_name: str | None
    run_id: str | None
    schedule_id: str | None
    flow_id: str | None = Field(description="Of an approval: the flow that waits.")
    title: str = Field(description="As it is told.")
    text: str = Field(description="As it is told, without the lines of the log.")
    at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    resolved_at: datetime | None = Field(description="When it was over by itself.")
    next_repeat_at: datetime | None
    repeats: int

    @classmethod
    def of(cls, view: AlertView) -> "AlertOut":
        """The alert as the API shows it."""
        around = {"title": view.message.title, "text": view.message.body, "severity": view.alert.severity.word}
        own = {name: getattr(view.alert, name) for name in cls.model_fields if name not in around}
        return cls(**own, **around)


class AlertPage(PageOut[AlertOut]):
    """One page of alerts, latest first."""


class NotificationOut(BaseModel):
    """An alert on its way to one channel, or what became of it."""

    id: str
    alert_id: str
    channel: str
    event: Event
    pipeline_name: str | None
    run_id: str | None
    severity: str
    state: State
    why: str = Field(description="The state in words: what it waits for, or why it was not sent.")
    attempts: int
    not_before: datetime = Field(description="Of a waiting one: when it is tried next.")
    title: str | None = Field(description="Of the message it was part of.")
    message_id: str | None = Field(description="The same for all that went as one message.")
    repeat: int
    created_at: datetime
    sent_at: datetime | None

    @classmethod
    def of(cls, view: SentView) -> "NotificationOut":
        """The row as the API shows it."""
        one, alert = view.notification, view.alert
        around = {
            "severity": one.severity.word,
            "event": alert.event,
            "pipeline_name": alert.pipeline_name,
            "run_id": alert.run_id,
        }
        return cls(**{name: getattr(one, name) for name in cls.model_fields if name not in around}, **around)


class NotificationPage(PageOut[NotificationOut]):
    """One page of the outbox, latest first."""
