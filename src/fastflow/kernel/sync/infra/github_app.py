"""Tokens of a GitHub App: a signed claim of who the App is, exchanged for a token of its installation.

Source: https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from fastflow.kernel.sync.domain.errors import GitHubAppFailed
from fastflow.kernel.sync.domain.repository import Address
from fastflow.kit.clock import Clock
from fastflow.kit.secret_text import SecretText

if TYPE_CHECKING:
    import httpx  # at run time where an App is asked: a server without one starts sooner

PUBLIC_API = "https://api.github.com"
_CLAIM = timedelta(minutes=9)
"""GitHub takes claims for at most ten minutes."""
_CLOCK_SLACK = timedelta(seconds=60)
_FRESH = timedelta(minutes=5)
"""So long a token must still hold when it is handed out."""
_SECONDS = 20.0


@dataclass(frozen=True)
class App:
    """A GitHub App as it presents itself.

    Attributes:
        installation_id: None: GitHub is asked which one has the repository.
    """

    app_id: str
    installation_id: str | None
    private_key: SecretText


class GitHubTokens:
    """Gives tokens that may read one repository, each kept as long as it is fresh.

    Args:
        api_url: of GitHub, or of a GitHub Enterprise server.
        clock: tells the time.
    """

    def __init__(self, api_url: str, clock: Clock) -> None:
        self._api_url = api_url.rstrip("/")
        self._clock = clock
        self._kept: dict[tuple[str, ...], tuple[SecretText, datetime]] = {}

    def token(self, app: App, repository: Address) -> SecretText:
        """A token for the repository.

        Raises:
            GitHubAppFailed: the key is none, the repository is elsewhere, or GitHub gives none.
        """
        self._require_host(repository)
        owner, name = _owner_and_name(repository)
        key = (app.app_id, app.installation_id or "", owner, name)
        kept = self._kept.get(key)
        if kept is not None and kept[1] - self._clock.now() > _FRESH:
            return kept[0]
        import httpx

        headers = {
            "Authorization": f"Bearer {self._claim(app)}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        with httpx.Client(base_url=self._api_url, headers=headers, timeout=_SECONDS, follow_redirects=False) as client:
            installation = app.installation_id or self._find_installation(client, owner, name)
            wanted = {"repositories": [name], "permissions": {"contents": "read"}}
            told = self._call(
                client, "POST", f"/app/installations/{quote(installation, safe='')}/access_tokens", wanted
            )
        token, expires_at = _token_in(told)
        self._kept[key] = (token, expires_at)
        return token

    def _require_host(self, repository: Address) -> None:
        """An installation's token goes to the host that gave it, nowhere else."""
        host = urlsplit(self._api_url).hostname or ""
        wanted = "github.com" if self._api_url == PUBLIC_API else host
        if repository.host != wanted:
            raise GitHubAppFailed(
                f"The repository is at {repository.host}, but the App's tokens are for {wanted}.",
                hint="Correct the repository's URL, or set GITHUB_API_URL to the API of its host.",
            )

    def _find_installation(self, client: "httpx.Client", owner: str, name: str) -> str:
        path = f"/repos/{quote(owner, safe='')}/{quote(name, safe='')}/installation"
        found = self._call(client, "GET", path).get("id")
        if not isinstance(found, int | str) or isinstance(found, bool):
            raise GitHubAppFailed("GitHub's answer names no installation of the App.")
        return str(found)

    def _call(self, client: "httpx.Client", method: str, path: str, body: Any = None) -> Mapping[str, Any]:
        import httpx

        try:
            answer = client.request(method, path, json=body)
        except httpx.HTTPError as error:
            raise GitHubAppFailed(
                f"{self._api_url} does not answer: {type(error).__name__}.", retry_after_seconds=30
            ) from error
        try:
            told = answer.json()
        except ValueError:
            told = {}
        if not isinstance(told, dict) or not answer.is_success:
            why = told.get("message") if isinstance(told, dict) else None
            said = f": {str(why)[:200]}" if why else ""
            raise GitHubAppFailed(f"GitHub refuses with status {answer.status_code}{said}.")
        return told

    def _claim(self, app: App) -> str:
        """The App's own claim, a JSON Web Token signed with RS256."""
        key = _private_key(app.private_key)
        now = self._clock.now()
        head = {"alg": "RS256", "typ": "JWT"}
        body = {
            "iat": int((now - _CLOCK_SLACK).timestamp()),
            "exp": int((now + _CLAIM).timestamp()),
            "iss": app.app_id,
        }
        text = f"{_encoded(head)}.{_encoded(body)}"
        signature = key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{text}.{_base64(signature)}"


def _private_key(text: SecretText) -> rsa.RSAPrivateKey:
    try:
        key = load_pem_private_key(text.reveal().strip().encode() + b"\n", password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # the cause is not kept: it may quote the key
        key = None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise GitHubAppFailed(
            "The App's private key is no RSA key in PEM form.",
            hint="Take the .pem file that GitHub gave when the key was made, whole, with its first and last line.",
        ) from None
    return key


def _token_in(told: Mapping[str, Any]) -> tuple[SecretText, datetime]:
    token, end = told.get("token"), str(told.get("expires_at"))
    try:
        expires_at = datetime.fromisoformat(end)
    except ValueError:
        expires_at = None
    if not isinstance(token, str) or not token or expires_at is None or expires_at.tzinfo is None:
        raise GitHubAppFailed("GitHub's answer holds no token with an end.")
    return SecretText(token), expires_at


def _owner_and_name(repository: Address) -> tuple[str, str]:
    parts = repository.path.strip("/").removesuffix(".git").split("/")
    if len(parts) < 2:
        raise GitHubAppFailed("The URL names no owner and repository, such as https://github.com/acme/flows.git.")
    return parts[-2], parts[-1]


def _encoded(value: Mapping[str, Any]) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
