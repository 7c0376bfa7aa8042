"""Syncing on the wire."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.config import JsonDict

from fastflow.kernel.http.schemas import PageOut, RequestBody
from fastflow.kernel.pipelines.schemas import FaultOut
from fastflow.kernel.sync.domain.plan import BlockerKind, Change, EnvironmentState
from fastflow.kernel.sync.domain.repository import Auth, Definition, Origin, Repository
from fastflow.kernel.sync.domain.sync import Action, ActiveVersion, EventKind, Sync, SyncEvent, SyncState, Trigger
from fastflow.kernel.sync.service.syncs import RepositoryStatus
from fastflow.kernel.sync.service.webhooks import Taken

_PRINTABLE = r"^[^\x00-\x1f\x7f]*$"
RepositoryName = Annotated[str, StringConstraints(min_length=1, max_length=63, pattern=r"^[a-z0-9][a-z0-9_-]*$")]
_Text = Annotated[str, StringConstraints(max_length=1000, pattern=_PRINTABLE)]
_Key = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
_Id = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9._-]+$")]
_Reason = Annotated[str, StringConstraints(max_length=500, pattern=_PRINTABLE)]
_Commit = Annotated[str, StringConstraints(min_length=4, max_length=64, pattern=r"^[0-9A-Fa-f]+$")]
_Seconds = Annotated[float, Field(ge=0, le=366 * 86400)]

_URL = "https://…, ssh://… or user@host:path; without a password: that is a secret."
_REPOSITORY: JsonDict = {
    "name": "flows",
    "url": "https://github.com/acme/flows.git",
    "branch": "main",
    "auth": "password",
    "secret": "GIT_TOKEN",
}


class RepositoryIn(RequestBody):
    """A repository to sync pipelines from."""

    model_config = ConfigDict(json_schema_extra={"examples": [_REPOSITORY]})

    name: RepositoryName
    url: _Text = Field(description=_URL)
    branch: _Text = "main"
    subfolder: _Text = Field("", description="Where the pipelines are; empty: at the top.")
    prefix: _Text = Field("", description="Put before the names of its pipelines.")
    auth: Auth = Field("none", description="What the secret is: a password or token, an SSH key, a GitHub App's key.")
    username: _Text = Field("", description="Beside the password; empty: what GitHub expects.")
    secret: _Key | None = Field(
        default=None, description="Key of a secret that no pipeline may read (`pipelines`: [])."
    )
    app_id: _Id | None = Field(default=None, description="Of the GitHub App; null: GITHUB_APP_ID.")
    installation_id: _Id | None = Field(
        default=None, description="Of the App; null: GITHUB_INSTALLATION_ID, else GitHub is asked."
    )
    host_keys: str | None = Field(
        default=None, max_length=20_000, description="The SSH host's keys, as `ssh-keyscan HOST` prints them."
    )
    webhook_secret: _Key | None = Field(default=None, description="Key of the secret that its host signs with.")
    interval: _Seconds | None = Field(
        default=None, description="Seconds between two looks, at least 10; 0: never; null: AUTO_SYNC_INTERVAL."
    )

    def definition(self) -> Definition:
        """What is asked for."""
        return Definition(**{name: getattr(self, name) for name in Definition.__dataclass_fields__})


class RepositoryChangeIn(RequestBody):
    """What to change; what is left away stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"branch": "stable"}]})

    url: _Text | None = Field(default=None, description=_URL)
    branch: _Text | None = None
    subfolder: _Text | None = None
    prefix: _Text | None = None
    auth: Auth | None = None
    username: _Text | None = None
    secret: _Key | None = None
    app_id: _Id | None = None
    installation_id: _Id | None = None
    host_keys: Annotated[str, StringConstraints(max_length=20_000)] | None = None
    webhook_secret: _Key | None = None
    interval: _Seconds | None = None

    def changes(self) -> Mapping[str, Any]:
        """Field -> new value, of the fields that were sent; null empties those that may be empty."""
        sent = {name: getattr(self, name) for name in self.model_fields_set}
        return {name: value for name, value in sent.items() if value is not None or name in _MAY_BE_EMPTY}


_MAY_BE_EMPTY = frozenset({"secret", "app_id", "installation_id", "host_keys", "webhook_secret", "interval"})


class RepositoryOut(BaseModel):
    """A repository."""

    name: str
    url: str
    branch: str
    subfolder: str
    prefix: str
    auth: Auth
    username: str
    secret: str | None = Field(description="Key of the secret; its value is never shown.")
    app_id: str | None
    installation_id: str | None
    host_keys: str | None
    webhook_secret: str | None = Field(description="Key of the secret; null: it takes no webhooks.")
    interval: float | None
    origin: Origin = Field(description="settings: GIT_URL and its companions describe it, and alone change it.")
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str

    @classmethod
    def of(cls, repository: Repository) -> "RepositoryOut":
        """The repository as the API shows it."""
        return cls.model_validate(repository, from_attributes=True)


class RepositoryPage(PageOut[RepositoryOut]):
    """One page of repositories, by name."""


class SyncIn(RequestBody):
    """What to sync, and how."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"repository": "flows", "plan_only": True}]})

    repository: RepositoryName | None = Field(default=None, description="Null: every repository.")
    plan_only: bool = Field(False, description="True: only say what would change.")
    force: bool = Field(False, description="True: in spite of blockers; runs of pipelines that go are stopped.")
    reason: _Reason | None = Field(default=None, description="For the history.")


class RollbackIn(RequestBody):
    """Which version to go back to."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"commit": "4f2c91d", "reason": "wrong totals"}]})

    repository: RepositoryName | None = Field(default=None, description="Null: the only one there is.")
    commit: _Commit | None = Field(default=None, description="Its beginning; null: the last one before the active one.")
    force: bool = Field(False, description="True: in spite of blockers.")
    reason: _Reason | None = Field(default=None, description="For the history.")


class SettingChangeOut(BaseModel):
    """A setting that differs."""

    setting: str
    before: Any
    after: Any


class PackageChangeOut(BaseModel):
    """A package that differs; null: it is not there."""

    package: str
    before: str | None
    after: str | None


class EnvironmentPlanOut(BaseModel):
    """What a pipeline's dependencies lead to."""

    state: EnvironmentState = Field(
        description="locked: resolved; ready: built; elsewhere: made where the run is, by the first one: inside an image, or "
        "on a cluster's node; none: the pipeline is broken or goes."
    )
    hash: str | None
    before: str | None
    packages: list[PackageChangeOut]
    why: str | None = Field(description="Of failed, in uv's own words.")


class PipelineChangeOut(BaseModel):
    """What becomes of a pipeline."""

    name: str
    change: Change
    files: dict[str, Change]
    more_files: int = Field(description="Files that differ and are not listed.")
    requirements_added: list[str]
    requirements_removed: list[str]
    settings: list[SettingChangeOut]
    environment: EnvironmentPlanOut | None
    faults: list[FaultOut]
    was_broken: bool = Field(description="It could not run before either, so its faults block nothing.")
    active_runs: list[str] = Field(description="Of one that goes: its runs that wait or run.")
    schedules_left: list[str] = Field(description="Of one that goes: schedules of people, which would start nothing.")
    followers_left: list[str] = Field(default=[], description="Of one that goes: pipelines that are to run after it.")


class ScheduleChangeOut(BaseModel):
    """A schedule that comes, goes or changes with the code."""

    change: Change
    pipeline: str
    name: str
    before: str | None
    after: str | None


class BlockerOut(BaseModel):
    """What keeps the plan from being carried out unless it is forced."""

    kind: BlockerKind
    pipeline: str
    message: str
    hint: str
    file: str | None
    line: int | None


class PlanOut(BaseModel):
    """What would change, or did."""

    commit_before: str | None
    commit: str | None
    pipelines: list[PipelineChangeOut]
    schedules: list[ScheduleChangeOut]
    blockers: list[BlockerOut]
    warnings: list[str]
    unchanged: int = Field(description="Pipelines of the repository that stay as they are.")


class SyncOut(BaseModel):
    """A sync."""

    id: str
    repository: str
    action: Action
    trigger: Trigger
    state: SyncState
    why: str = Field(description="The outcome in words; empty until there is one.")
    code: str | None = Field(description="Of one that was refused or failed: the problem's code.")
    fields: dict[str, str] = Field(
        description="Of the problem: field of the repository, or file and line: what is wrong with it."
    )
    commit_before: str | None
    commit: str | None
    subject: str | None = Field(description="First line of the commit's message.")
    author: str | None
    requested_by: str
    reason: str | None
    force: bool
    plan: PlanOut | None
    requested_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def of(cls, sync: Sync) -> "SyncOut":
        """The sync as the API shows it."""
        return cls.model_validate(sync, from_attributes=True)


class SyncsOut(BaseModel):
    """Syncs that were asked for together."""

    items: list[SyncOut]


class SyncPage(PageOut[SyncOut]):
    """One page of the history, latest first."""


class EventOut(BaseModel):
    """Something that a sync told."""

    id: int
    at: datetime
    kind: EventKind
    data: dict[str, Any]

    @classmethod
    def of(cls, event: SyncEvent) -> "EventOut":
        """The event as the API shows it."""
        return cls.model_validate(event, from_attributes=True)


class ActiveOut(BaseModel):
    """The active version."""

    commit: str
    prefix: str
    subfolder: str
    sync_id: str
    activated_at: datetime
    activated_by: str

    @classmethod
    def of(cls, version: ActiveVersion) -> "ActiveOut":
        """The version as the API shows it."""
        return cls.model_validate(version, from_attributes=True)


class RepositoryStatusOut(BaseModel):
    """How a repository stands."""

    name: str
    url: str
    branch: str
    active: ActiveOut | None = Field(description="Null: nothing of it is active.")
    remote_commit: str | None = Field(description="The branch's commit when its host was last asked.")
    checked_at: datetime | None
    problem: str | None = Field(description="What kept its host from being asked; null: nothing.")
    held_commit: str | None = Field(description="Was rolled back from: only a person makes it active again.")
    next_sync_at: datetime | None = Field(description="When it is looked at by itself next; null: never.")
    sync: SyncOut | None = Field(description="The one under way, else the latest.")
    progress: list[EventOut] = Field(description="Of a sync under way: its last step, and how far it is in it.")

    @classmethod
    def of(cls, status: RepositoryStatus) -> "RepositoryStatusOut":
        """The status as the API shows it."""
        one = status.repository
        return cls(
            name=one.name,
            url=one.url,
            branch=one.branch,
            active=None if status.active is None else ActiveOut.of(status.active),
            remote_commit=one.remote_commit,
            checked_at=one.checked_at,
            problem=one.problem,
            held_commit=one.held_commit,
            next_sync_at=one.next_sync_at,
            sync=None if status.sync is None else SyncOut.of(status.sync),
            progress=[EventOut.of(event) for event in status.events],
        )


class StatusOut(BaseModel):
    """How syncing stands, by repository."""

    items: list[RepositoryStatusOut]


class TakenOut(BaseModel):
    """What came of a delivery."""

    sync_id: str | None = Field(description="Null: it concerns nothing that is followed.")
    why: str

    @classmethod
    def of(cls, taken: Taken) -> "TakenOut":
        """The outcome as the API shows it."""
        return cls(sync_id=None if taken.sync is None else taken.sync.id, why=taken.why)
