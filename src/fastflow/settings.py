"""The one place that reads the environment (and `.env`). Below this module only values are passed.

Every field is optional; a wrong value stops the start and names the variable.
"""

import difflib
import os
import re
from collections.abc import Callable, Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from fastflow.env_file import refuse_unreadable_lines
from fastflow.kit.addresses import has_credentials
from fastflow.kit.durations import parse_duration, parse_memory
from fastflow.kit.errors import InvalidInput
from fastflow.kit.value_problems import describe, describe_bounds, is_secret

DEFAULT_WORKER_IMAGE = "ghcr.io/astral-sh/uv:python3.11-bookworm-slim"
_NEARLY = 0.87
"""How alike a name must be to count as a setting's, misspelt: one letter in seven may differ."""
LOCAL_WORKER_IMAGE = "fastflow-worker:bookworm"
"""What `make worker-image` builds."""
ENV_FILE = Path(".env")


class Settings(BaseSettings):
    """Settings of the kernel; the environment variable is the field's name in capitals."""

    model_config = SettingsConfigDict(env_file=ENV_FILE, extra="ignore", env_ignore_empty=True, frozen=True)

    # Where things are
    database_url: str | None = Field(None, description="Database; unset means SQLite in DATA_DIR.")
    pipelines_dir: Path = Field(Path("pipelines"), description="Folder of the pipelines.")
    logs_dir: Path = Field(Path("logs"), description="Folder of the run logs.")
    data_dir: Path = Field(Path("data"), description="Folder of everything else the server keeps.")
    uv_cache_dir: Path | None = Field(None, description="uv's cache; unset means DATA_DIR/uv_cache.")

    min_free_disk_mb: int = Field(
        256,
        ge=0,
        description="Free space in DATA_DIR and LOGS_DIR below which no new run starts, nothing is built ahead and `/ready` says "
        "no; 0: runs always start.",
    )

    # How runs are executed
    executor: Literal["process", "docker", "ray"] = Field("process", description="Executor of a run that names none.")
    max_concurrent_runs: int = Field(10, ge=1, le=10_000, description="Runs that may run at once.")
    queue_when_full: bool = Field(True, description="False: a run over MAX_CONCURRENT_RUNS is refused with 429.")
    container_timeout: float | None = Field(None, description="Seconds a run may take when its pipeline says nothing.")
    retry_attempts: int = Field(
        0, ge=0, le=100, description="Retries of a failed run whose pipeline says nothing of them, with growing pauses."
    )
    uv_pre_heat: bool = Field(
        True,
        description="Build the environments of pipelines in the background: at the start, and when requirements change.",
    )
    stop_grace: float = Field(10.0, description="Seconds between SIGTERM and SIGKILL when a run is stopped.")
    warm_environments: int = Field(
        4, ge=0, le=64, description="Environments kept warm at once; 0 starts every run cold."
    )
    warm_idle: float = Field(
        900.0,
        description="Seconds after its last run when a warm environment, or an unused prepared container, is let go.",
    )
    run_user: str | None = Field(
        None,
        description="User a run executes as when the server runs as root; unset means an id of its own that owns nothing.",
    )
    run_writable_paths: Annotated[tuple[Path, ...], NoDecode] = Field(
        (), description="Paths, separated by ':', outside its own folders that a run may write."
    )
    run_readable_paths: Annotated[tuple[Path, ...], NoDecode] = Field(
        (), description="Paths, separated by ':', below the server user's home that a run may read all the same."
    )
    run_memory: int | None = Field(None, description="Memory limit of a run whose pipeline names none, such as 2GB.")
    run_pids: int = Field(1024, ge=16, description="Processes and threads of a run whose pipeline names no limit.")
    environment_retention_days: float = Field(
        30.0,
        gt=0,
        description="Days after its last use when an environment, or a copy of code that no kept run needs, is removed.",
    )
    run_retention_days: float | None = Field(
        None, ge=1, description="Days after its end when a run is removed with all of it; unset means never."
    )
    run_retention_runs: int | None = Field(
        None, ge=1, description="Newest ended runs of each pipeline that are kept; unset means all."
    )

    # Runs in containers
    worker_base_image: str = Field(
        DEFAULT_WORKER_IMAGE,
        min_length=1,
        description=f"Image that container runs start from; `make worker-image` builds {LOCAL_WORKER_IMAGE}.",
    )
    docker_host: str = Field(
        "unix:///var/run/docker.sock", description="Address of the container engine: a socket of this machine."
    )
    docker_network: str = Field(
        "bridge",
        min_length=1,
        description="The engine's network of container runs that may use one, and of building their environments.",
    )
    docker_pool: int = Field(
        0, ge=0, le=64, description="Containers kept prepared, each for one run; 0 makes each when its run starts."
    )
    docker_data_dir: Path | None = Field(
        None, description="DATA_DIR as the engine's machine names it, when the server itself runs in a container."
    )

    # Schedules
    schedule_grace: float = Field(
        60.0, description="Seconds a due time may be noticed late without counting as missed."
    )
    schedule_ledger_days: float | None = Field(
        None, gt=0, description="Days a row of the ledger of due times is kept; unset means for ever."
    )

    # Runs on a cluster
    ray_address: str | None = Field(
        None,
        description="Address of a Ray cluster's dashboard, such as http://head:8265; unset: with EXECUTOR=ray a cluster of one "
        "node is started on this machine.",
    )
    ray_auth_token: SecretStr | None = Field(None, description="Token of a Ray cluster that wants one.")
    ray_cpus: float = Field(
        1.0, gt=0, le=10_000, description="CPUs that a run asks the cluster for when its pipeline names none."
    )
    ray_node_dir: Path | None = Field(
        None,
        description="Folder on each node for environments, caches and the runs going on; unset: /var/tmp/fastflow-UID, the "
        "id of the user that Ray runs as.",
    )
    ray_artifacts_max_mb: float = Field(
        1024.0, gt=0, description="Size above which no further artifact of a run is taken from a node."
    )

    # Code from Git
    git_url: str | None = Field(
        None,
        description="Repository to sync pipelines from, as the repository `default`; unset: none, or those added later.",
    )
    git_branch: str = Field("main", min_length=1, description="Branch of that repository.")
    git_subfolder: str = Field("", description="Where the pipelines are in it; empty: at its top.")
    git_prefix: str = Field("", description="Put before the names of its pipelines.")
    git_auth: Literal["none", "password", "ssh", "github-app"] | None = Field(
        None,
        description="How its host is convinced; unset: password if GIT_SECRET is set, github-app if GITHUB_APP_ID is, else none.",
    )
    git_username: str = Field("", description="Beside the password; empty: what GitHub expects beside a token.")
    git_secret: str | None = Field(
        None, description="Key of the secret that is the password or token, the SSH key, or the App's private key."
    )
    git_host_keys: str | None = Field(None, description="Keys of an SSH host, as `ssh-keyscan HOST` prints them.")
    git_webhook_secret: str | None = Field(None, description="Key of the secret that its host signs webhooks with.")
    auto_sync_interval: float | None = Field(
        None, description="Seconds between two looks at a repository that has no interval of its own; unset: never."
    )
    git_protocols: Annotated[tuple[Literal["https", "ssh", "http", "file"], ...], NoDecode] = Field(
        ("https", "ssh"),
        min_length=1,
        description="Schemes, separated by commas, that repositories are fetched by: https, ssh, http, file.",
    )
    git_timeout: float = Field(300.0, description="Seconds one command of Git may take.")
    git_max_mb: float = Field(
        500.0, gt=0, description="Size above which a repository, or the files of one commit, are refused."
    )
    github_app_id: str | None = Field(None, description="Id of the GitHub App that repositories are read as.")
    github_installation_id: str | None = Field(
        None, description="Id of its installation; unset: GitHub is asked which one has the repository."
    )
    github_private_key_path: Path | None = Field(None, description="File with its private key (.pem).")
    github_api_url: str = Field(
        "https://api.github.com", description="GitHub's API; another one for GitHub Enterprise."
    )

    # Logs
    log_retention_runs: int | None = Field(
        None, ge=1, description="Finished runs per pipeline whose logs are kept; unset means all."
    )
    log_retention_days: float | None = Field(
        None, gt=0, description="Days a finished run's log is kept; unset means for ever."
    )
    log_max_size_mb: float | None = Field(
        None, gt=0, description="Size at which a run's log is cut, visibly; unset means never."
    )
    log_stream_rate_limit: int = Field(
        100, ge=0, description="Lines per second to one live reader; what is left out is told; 0 means no limit."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Level of the server's own log."
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="Form of the server's own log: a line of words, or a line of JSON, for each event."
    )

    # Figures and fitness
    clock_max_skew: float = Field(
        10.0, description="Seconds by which this server's clock may differ from the database's before it is not ready."
    )
    metrics_public: bool = Field(
        False, description="True: `/metrics` answers without credentials, names of pipelines included."
    )
    metrics_max_pipelines: int = Field(
        200,
        ge=1,
        le=5000,
        description="Pipelines that appear in `/metrics` under their own name; the others together as `_other`.",
    )

    # Traces
    otel_exporter_otlp_endpoint: str | None = Field(
        None,
        description="OpenTelemetry collector (OTLP over HTTP), such as http://127.0.0.1:4318; unset: no traces. User and password "
        "in it are sent as a header and never shown.",
    )
    otel_exporter_otlp_headers: SecretStr | None = Field(
        None, description="Headers sent to it, as name=value separated by commas."
    )
    otel_service_name: str = Field("fastflow", min_length=1, description="What traces are said to come from.")
    otel_traces_sampler_arg: float = Field(
        1.0,
        ge=0,
        le=1,
        description="Share of the traces that begin here that is sent; a caller's own mark decides for its.",
    )

    # Alerts
    public_url: str | None = Field(
        None, description="URL at which people reach the server, for links in messages; unset: messages have none."
    )
    alert_retention_days: float | None = Field(
        90.0, gt=0, description="Days an alert is kept, with the record of what was sent of it."
    )

    # Secrets and access
    encryption_key: SecretStr | None = Field(
        None,
        description="Fernet key, or several separated by commas (the first encrypts); unset: a key file is made in DATA_DIR.",
    )
    session_hours: float = Field(12.0, gt=0, description="Hours a login lasts, however much it is used.")
    session_idle: float = Field(7200.0, description="Seconds without a request after which a login ends.")
    trusted_proxies: str = Field(
        "127.0.0.1",
        description="Addresses and networks, separated by commas, of proxies whose X-Forwarded-For and -Proto are believed; "
        "`none`: nobody's.",
    )
    cookie_secure: bool = Field(False, description="Send the session cookie over HTTPS only: true behind a TLS proxy.")

    # Login through a provider
    oidc_issuer: str | None = Field(
        None, description="OpenID Connect provider, exactly as its discovery document names itself; unset: none."
    )
    oidc_client_id: str | None = Field(
        None, description="What the provider knows this server by; needed with OIDC_ISSUER."
    )
    oidc_client_secret: SecretStr | None = Field(
        None, description="The client's secret; unset: it is a public client, and PKCE alone protects the code."
    )
    oidc_scopes: Annotated[tuple[str, ...], NoDecode] = Field(
        ("openid", "email", "profile"), description="What the provider is asked for, separated by commas."
    )
    oidc_group_claim: str = Field("groups", description="Claim that holds somebody's groups.")
    oidc_groups: str | None = Field(
        None,
        description='What groups allow, as JSON: {"GROUP": "ROLE"} or {"GROUP": ["ROLE", "ROLE:PIPELINES"]}; '
        "unset: groups are not looked at, and administrators give roles.",
    )
    oidc_default_role: Literal["none", "viewer", "operator", "admin"] = Field(
        "viewer", description="Role of somebody in no group of OIDC_GROUPS; `none` refuses them."
    )
    oidc_email_domains: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Only domains of verified e-mail addresses that may log in, separated by commas; empty: any."
    )
    oidc_auto_create: bool = Field(True, description="Make a user at the first login; false: nobody new comes in.")

    audit_retention_days: float | None = Field(
        None, gt=0, description="Days an entry of the audit log is kept; unset means for ever."
    )

    # Churn workbench
    churn_db_path: Path | None = Field(
        None, description="The churn workbench's database; unset means DATA_DIR/churn/churn_database.json."
    )
    outbox_root: Path | None = Field(
        None, description="Folder of the bundles it exports and takes in; unset means DATA_DIR/churn/outbox."
    )
    ui_settings_path: Path | None = Field(
        None, description="File with defaults of its experiments (JSON); unset means DATA_DIR/churn/ui_settings.json."
    )

    # Server
    host: str = Field("127.0.0.1", description="Address the server binds.")
    port: int = Field(8000, ge=0, le=65535, description="Port the server binds.")
    lost_after: float = Field(
        90.0,
        ge=35,
        description="Seconds of silence after which another server's runs are given up as lost; 15 minutes for one that was "
        "stopped in order.",
    )
    server_url: str | None = Field(
        None,
        description="URL at which the other servers of the same PostgreSQL reach this one, for logs and artifacts on its "
        "disk, and at which the nodes of a Ray cluster do; unset: http://HOST:PORT.",
    )
    max_body_mb: float = Field(10.0, gt=0, description="Size of a request body above which it is refused.")
    max_upload_mb: float = Field(4096.0, gt=0, description="The same, of a body that is a file a workbench takes in.")

    @field_validator(
        *("container_timeout", "stop_grace", "warm_idle", "lost_after", "schedule_grace", "git_timeout"),
        *("auto_sync_interval", "session_idle", "clock_max_skew"),
        mode="before",
    )
    @classmethod
    def _duration(cls, value: Any) -> Any:
        return value if value is None else _taken(lambda: parse_duration(value, "this"))

    @field_validator("run_memory", mode="before")
    @classmethod
    def _size(cls, value: Any) -> Any:
        given = int(value) if str(value).isdigit() else value
        return value if value is None else _taken(lambda: parse_memory(given, "this"))

    @field_validator("run_writable_paths", "run_readable_paths", mode="before")
    @classmethod
    def _paths(cls, value: Any) -> Any:
        return tuple(Path(part) for part in value.split(":") if part) if isinstance(value, str) else value

    @field_validator("ray_address")
    @classmethod
    def _dashboard(cls, value: str | None) -> str | None:
        if value is not None and re.fullmatch(r"https?://[^/@?#\s]+(/[^@?#\s]*)?", value) is None:
            raise ValueError("must be the address of the dashboard, such as http://head:8265")
        return value

    @field_validator("auto_sync_interval")
    @classmethod
    def _not_too_often(cls, value: float | None) -> float | None:
        if value is not None and value < 10:
            raise ValueError("must be at least 10 seconds")
        return value

    @field_validator("git_protocols", "oidc_scopes", "oidc_email_domains", mode="before")
    @classmethod
    def _words(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("github_api_url")
    @classmethod
    def _api_address(cls, value: str) -> str:
        if not value.startswith(("https://", "http://127.0.0.1:")):
            raise ValueError("must be an https URL")
        return value

    @field_validator("oidc_issuer")
    @classmethod
    def _issuer(cls, value: str | None) -> str | None:
        here = ("http://127.0.0.1", "http://localhost")
        if value is not None and not value.startswith(("https://", *here)):
            raise ValueError("must be an https URL, such as https://login.example.org/realms/ours")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _proxies(cls, value: str) -> str:
        parts = [part.strip() for part in value.split(",") if part.strip()]
        if parts == ["none"]:
            return ""
        for part in parts:
            try:
                ip_network(part, strict=False)
            except ValueError as error:
                raise ValueError(f"{part!r} is neither an address nor a network such as 10.0.0.0/8") from error
        return ",".join(parts)

    @field_validator("docker_host")
    @classmethod
    def _socket(cls, value: str) -> str:
        if not value.startswith("unix:///"):
            raise ValueError("must be a socket of this machine, such as unix:///var/run/docker.sock")
        return value

    @field_validator("public_url", "otel_exporter_otlp_endpoint")
    @classmethod
    def _web_address(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("must be an http or https URL, such as https://fastflow.example.org")
        return value

    @field_validator("public_url", "server_url", "oidc_issuer")
    @classmethod
    def _told_to_others(cls, value: str | None) -> str | None:
        if value is not None and has_credentials(value):
            raise ValueError("must not hold a user or password: it is told to others")
        return value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.oidc_issuer is None) != (self.oidc_client_id is None):
            raise ValueError("OIDC_ISSUER and OIDC_CLIENT_ID belong together: set both, or neither")
        return self

    @model_validator(mode="after")
    def _absolute(self) -> Self:
        places = ("pipelines_dir", "logs_dir", "data_dir", "uv_cache_dir")
        for name in (*places, "churn_db_path", "outbox_root", "ui_settings_path"):
            path: Path | None = getattr(self, name)
            if path is not None:
                object.__setattr__(self, name, path.expanduser().absolute())
        if self.uv_cache_dir is None:
            object.__setattr__(self, "uv_cache_dir", self.data_dir / "uv_cache")
        return self

    @property
    def sessions(self) -> Mapping[str, Any]:
        """How long logins last, by the settings' names."""
        return {"session_hours": self.session_hours, "session_idle": self.session_idle}

    @property
    def oidc(self) -> Mapping[str, Any] | None:
        """What is set of OIDC_…, without that beginning, as plain values; None: no provider is."""
        if self.oidc_issuer is None:
            return None
        given = {name.removeprefix("oidc_"): value for name, value in self if name.startswith("oidc_")}
        secret = self.oidc_client_secret
        return {**given, "client_secret": None if secret is None else secret.get_secret_value()}

    @property
    def effective_database_url(self) -> str:
        """DATABASE_URL, or SQLite in DATA_DIR."""
        return self.database_url or f"sqlite:///{self.data_dir / 'fastflow.db'}"


def _taken(parse: Callable[[], float]) -> float:
    """What `parse` makes of a value; its refusal becomes one that pydantic reports under the variable's name."""
    try:
        return parse()
    except InvalidInput as error:
        raise ValueError(f"{next(iter(error.fields.values()), error.message)}. {error.hint}") from error


def load_settings(**overrides: Any) -> Settings:
    """Settings from the environment and `.env`; `overrides` (command-line flags) win.

    Raises:
        InvalidInput: a variable has a wrong value, or a line of `.env` cannot be read; names every such one.
    """
    given = {key: value for key, value in overrides.items() if value is not None}
    refuse_unreadable_lines(ENV_FILE)
    try:
        return Settings(**given)
    except ValidationError as error:
        fields = {_variable(item): _problem(item) for item in error.errors()}
        raise InvalidInput(
            f"{'Settings have wrong values' if len(fields) > 1 else 'A setting has a wrong value'}: {', '.join(fields)}.",
            code="invalid_setting",
            hint="Correct the named environment variable (or its line in .env), or remove it to take the default.",
            fields=fields,
        ) from error


def _variable(item: Mapping[str, Any]) -> str:
    return str(item["loc"][0]).upper() if item["loc"] else "settings"


def _problem(item: Mapping[str, Any]) -> str:
    """What is wrong, with the value unless it is a secret, and what the variable takes."""
    field = Settings.model_fields.get(str(item["loc"][0]) if item["loc"] else "")
    hides = field is None or is_secret(field.annotation)
    return describe(item, hide_value=hides, bounds=describe_bounds(field))


def misspelt_settings() -> Mapping[str, str]:
    """Names in the environment and in `.env` that are no setting but nearly one -> the setting that may be meant.

    Other names are other programs': a `.env` is often shared.
    """
    known = [name.upper() for name in Settings.model_fields]
    given = {*os.environ, *dotenv_values(ENV_FILE, verbose=False)}
    names = {name for name in given if not name.upper().startswith("OTEL_")}  # the standard has many more of those
    near = {name: difflib.get_close_matches(name.upper(), known, 1, _NEARLY) for name in sorted(names)}
    return {name: found[0] for name, found in near.items() if found and name.upper() not in known}
