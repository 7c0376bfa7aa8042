"""A repository of pipelines: what is known of it, and what can be one."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from urllib.parse import SplitResult, urlsplit

Auth = Literal["none", "password", "ssh", "github-app"]
"""How the repository's host is convinced: not at all; by a password or token; by a private key; by a GitHub App."""
Origin = Literal["user", "settings"]
AUTHS: Final = ("none", "password", "ssh", "github-app")
SETTINGS_NAME: Final = "default"
"""The repository that the settings describe."""
DEFAULT_USER: Final = "x-access-token"
"""What GitHub expects beside a token; GitLab and others take any name."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_PREFIX = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_SCP = re.compile(
    r"(?:(?P<user>[A-Za-z0-9_][A-Za-z0-9_.-]*)@)?(?P<host>[A-Za-z0-9][A-Za-z0-9.-]*):(?P<path>[^/:\s][^:\s]*)"
)
_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_SCHEMES: Final = ("https", "ssh", "file", "http")
_MAX_URL = 1000
_MAX_BRANCH = 200
_BAD_IN_BRANCH = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(/|$)")


@dataclass(frozen=True, kw_only=True)
class Definition:
    """What people say of a repository.

    Attributes:
        url: https, ssh, or another scheme that the installation allows; never with a password in it.
        subfolder: where the pipelines are; empty: at the top.
        prefix: put before the names of its pipelines.
        username: beside the password; empty: what GitHub expects.
        secret: key of the secret that is the password, the private SSH key, or the App's private key.
        app_id: of the GitHub App; None: the installation's own.
        installation_id: of the App; None: the installation's own, else found out from GitHub.
        host_keys: the SSH host's keys, as in a known_hosts file.
        webhook_secret: key of the secret that its host signs webhooks with; None: it takes none.
        interval: seconds between two looks; 0: never by itself; None: as the installation does.
    """

    name: str
    url: str
    branch: str = "main"
    subfolder: str = ""
    prefix: str = ""
    auth: Auth = "none"
    username: str = ""
    secret: str | None = None
    app_id: str | None = None
    installation_id: str | None = None
    host_keys: str | None = None
    webhook_secret: str | None = None
    interval: float | None = None

    @property
    def address(self) -> "Address":
        """The parts of the URL; those of one that was checked."""
        return parse_address(self.url)


@dataclass(frozen=True, kw_only=True)
class Repository(Definition):
    """A repository and where it stands.

    Attributes:
        next_sync_at: when it is looked at by itself next; None: never.
        checked_at: when its host was last asked.
        remote_commit: the branch's commit then.
        problem: what kept it from being looked at; None: nothing.
        held_commit: was rolled back from: only a person makes it active again.
    """

    origin: Origin = "user"
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str
    next_sync_at: datetime | None = None
    checked_at: datetime | None = None
    remote_commit: str | None = None
    problem: str | None = None
    held_commit: str | None = None

    @property
    def definition(self) -> Definition:
        """What people said of it."""
        return Definition(**{name: getattr(self, name) for name in Definition.__dataclass_fields__})


@dataclass(frozen=True, kw_only=True)
class Address:
    """The parts of a URL.

    Attributes:
        user: before the host; empty when there is none.
        origin: scheme, host and port, as Git compares them when it asks for credentials.
    """

    scheme: str
    user: str
    host: str
    port: int | None
    path: str

    @property
    def origin(self) -> str:
        """`https://host:port`."""
        return f"{self.scheme}://{self.host}" + (f":{self.port}" if self.port is not None else "")


class BadAddress(ValueError):
    """A URL that cannot be synced from; the message says why.

    Attributes:
        hint: what to do about it.
    """

    def __init__(self, problem: str, hint: str) -> None:
        super().__init__(problem)
        self.hint = hint


_FORMS: Final = "Write it as https://host/owner/name.git, or ssh://git@host/owner/name.git."


def parse_address(url: str) -> Address:
    """The parts of a repository's URL.

    Raises:
        BadAddress: it is none, has a password in it, or is more than a URL.

    >>> parse_address("git@github.com:acme/flows.git")
    Address(scheme='ssh', user='git', host='github.com', port=None, path='/acme/flows.git')
    """
    if not url or len(url) > _MAX_URL or any(char.isspace() or not char.isprintable() for char in url):
        raise BadAddress(f"is empty, longer than {_MAX_URL} characters, or holds spaces or control characters", _FORMS)
    if url.startswith("-"):
        raise BadAddress("begins with '-' and would be an option", _FORMS)
    if "::" in url.split("/", 1)[0]:
        raise BadAddress("names a transport helper, which could run any command", _FORMS)
    if "://" not in url:
        return _scp_address(url)
    try:
        parts = urlsplit(url)
        address = Address(
            scheme=parts.scheme, user=parts.username or "", host=parts.hostname or "", port=parts.port, path=parts.path
        )
    except ValueError as error:
        raise BadAddress(f"is no URL: {error}", _FORMS) from error
    _check_parts(parts, address)
    return address


def _check_parts(parts: SplitResult, address: Address) -> None:
    if address.scheme not in _SCHEMES:
        raise BadAddress(f"has the scheme {address.scheme!r}, of which nothing is fetched", _FORMS)
    if parts.password is not None or (address.user and address.scheme in ("https", "http")):
        raise BadAddress(
            "has credentials in it, which would end up in logs and lists of processes",
            "Take them out of the URL, keep the password as a secret (`POST /secrets`) that no pipeline may read, and name "
            "its key as the repository's `secret`.",
        )
    if parts.query or parts.fragment:
        raise BadAddress("has a query or a fragment", _FORMS)
    if address.scheme == "file":
        if parts.netloc or not address.path.startswith("/"):
            raise BadAddress("is no path of this machine", "Write it as file:///absolute/path/to/repository.git.")
    elif not _HOST.fullmatch(_bare_host(parts.netloc)):
        raise BadAddress("names no host", _FORMS)
    if address.user and not _USER.fullmatch(address.user):
        raise BadAddress("names a user that cannot be one", _FORMS)
    if not address.path.strip("/"):
        raise BadAddress("names no repository on that host", _FORMS)


def _bare_host(netloc: str) -> str:
    host = netloc.rpartition("@")[2]
    return re.sub(r":\d+$", "", host)


def _scp_address(url: str) -> Address:
    match = _SCP.fullmatch(url)
    if match is None:
        raise BadAddress(
            "is a path or no URL at all",
            f"{_FORMS} A repository on this machine is file:///absolute/path, where GIT_PROTOCOLS allows it.",
        )
    return Address(scheme="ssh", user=match["user"] or "", host=match["host"], port=None, path=f"/{match['path']}")


def definition_problems(given: Definition, protocols: tuple[str, ...]) -> dict[str, str]:
    """What is wrong with a repository, by field; empty: nothing.

    Args:
        given: as people describe it.
        protocols: schemes that the installation fetches from.
    """
    problems: dict[str, str] = {}
    if not _NAME.fullmatch(given.name):
        problems["name"] = f"{given.name[:80]!r} is not 1 to 63 small letters, digits, '-' and '_'"
    scheme = _add_url_problem(given, protocols, problems)
    branch = _branch_problem(given.branch)
    if branch is not None:
        problems["branch"] = branch
    if given.subfolder and not _is_plain_path(given.subfolder):
        problems["subfolder"] = f"{given.subfolder[:80]!r} is no path inside the repository, such as pipelines/daily"
    if given.prefix and (not _PREFIX.fullmatch(given.prefix) or ".." in given.prefix):
        problems["prefix"] = f"{given.prefix[:80]!r} cannot begin a pipeline's name"
    _add_auth_problems(given, scheme, problems)
    if given.interval is not None and given.interval != 0 and not 10 <= given.interval <= 366 * 86400:
        problems["interval"] = f"{given.interval:g} s is neither 0 nor between 10 s and a year"
    return problems


def _add_url_problem(given: Definition, protocols: tuple[str, ...], problems: dict[str, str]) -> str | None:
    try:
        scheme = parse_address(given.url).scheme
    except BadAddress as error:
        problems["url"] = f"it {error}"
        return None
    if scheme not in protocols:
        problems["url"] = f"it is fetched by {scheme}, and GIT_PROTOCOLS allows {', '.join(protocols)} alone"
    return scheme


def _add_auth_problems(given: Definition, scheme: str | None, problems: dict[str, str]) -> None:
    if given.auth not in AUTHS:
        problems["auth"] = f"{given.auth!r} is none of {', '.join(AUTHS)}"
        return
    if given.secret is None and given.auth in _HELD:
        problems["secret"] = f"it is missing: the key of the secret that holds {_HELD[given.auth]}"
    if given.auth == "none" and given.secret is not None:
        problems["auth"] = "a secret is named, but not what it is: password, ssh or github-app"
    if scheme == "ssh" and given.auth != "ssh":
        problems.setdefault("auth", "an ssh URL takes auth ssh, and a secret that holds the private key")
    if scheme == "ssh" and not (given.host_keys or "").strip():
        problems["host_keys"] = (
            "they are missing: what `ssh-keyscan HOST` prints, compared with what the host publishes"
        )
    if scheme != "ssh" and given.auth == "ssh":
        problems.setdefault("auth", "ssh needs an ssh URL")
    if given.auth in ("password", "github-app") and scheme == "file":
        problems.setdefault("auth", "a repository on this machine takes no credentials")
    _add_id_problems(given, problems)


_HELD: Final[dict[Auth, str]] = {"password": "the password or token", "ssh": "the private key"}


def _add_id_problems(given: Definition, problems: dict[str, str]) -> None:
    if any(char in given.username for char in "\r\n\0") or len(given.username) > 200:
        problems["username"] = "it holds a line end or is longer than 200 characters"
    for field in ("app_id", "installation_id"):
        value = getattr(given, field)
        if value is not None and not re.fullmatch(r"[A-Za-z0-9._-]{1,100}", value):
            problems[field] = f"{value[:40]!r} is no id"


def _branch_problem(branch: str) -> str | None:
    """What keeps `branch` from being the name of a Git branch."""
    if not branch or len(branch) > _MAX_BRANCH:
        return f"it is empty or longer than {_MAX_BRANCH} characters"
    if (
        branch.startswith(("-", "/", "."))
        or branch.endswith(("/", "."))
        or branch == "@"
        or _BAD_IN_BRANCH.search(branch)
    ):
        return f"{branch[:80]!r} cannot be the name of a branch"
    return None


def _is_plain_path(path: str) -> bool:
    parts = path.split("/")
    return (
        len(path) <= 500
        and path.isprintable()
        and "\\" not in path
        and ":" not in path
        and all(
            part and part not in (".", "..") and part.lower() != ".git" and not part.startswith("-") for part in parts
        )
    )
