"""Where the credentials of repositories come from: the secrets that no pipeline may read, and GitHub."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from fastflow.kernel.sync.domain.errors import GitHubAppFailed, InvalidRepository
from fastflow.kernel.sync.domain.repository import Definition
from fastflow.kernel.sync.infra.github_app import App, GitHubTokens
from fastflow.kernel.sync.ports import Credentials
from fastflow.kit.errors import FastFlowError
from fastflow.kit.secret_text import SecretText


class Secrets(Protocol):
    """Secrets that are the server's own."""

    def reveal_to_server(self, key: str) -> SecretText:
        """The value of a secret that no pipeline may read."""
        ...


class SecretCredentials:
    """See `ports.CredentialSource`.

    Args:
        secrets: have passwords and keys.
        tokens: of GitHub Apps.
        app_id: the installation's own App; None: repositories name theirs.
        installation_id: of that App.
        private_key_path: its private key; None: repositories name a secret.
    """

    def __init__(
        self,
        secrets: Secrets,
        tokens: GitHubTokens,
        *,
        app_id: str | None = None,
        installation_id: str | None = None,
        private_key_path: Path | None = None,
    ) -> None:
        self._secrets = secrets
        self._tokens = tokens
        self._app_id = app_id
        self._installation_id = installation_id
        self._private_key_path = private_key_path

    def find(self, repository: Definition) -> Credentials:
        """See the port."""
        if repository.auth == "none":
            return Credentials()
        if repository.auth == "github-app":
            return Credentials(password=self._tokens.token(self._app(repository), repository.address))
        assert repository.secret is not None
        value = self._secrets.reveal_to_server(repository.secret)
        if repository.auth == "ssh":
            return Credentials(private_key=value, host_keys=repository.host_keys or "")
        if any(char in value.reveal() for char in "\r\n\0"):
            problem = f"the secret {repository.secret} holds a line end, which no password has"
            raise InvalidRepository({"secret": problem}, hint="Set the secret again, without the line end.")
        return Credentials(username=repository.username, password=value)

    def webhook_secret(self, repository: Definition) -> SecretText | None:
        """See the port."""
        key = repository.webhook_secret
        return None if key is None else self._secrets.reveal_to_server(key)

    def check(self, definition: Definition) -> Mapping[str, str]:
        """See the port."""
        problems: dict[str, str] = {}
        for field in ("secret", "webhook_secret"):
            key = getattr(definition, field)
            if key is None:
                continue
            try:
                self._secrets.reveal_to_server(key)
            except FastFlowError as error:
                problems[field] = f"{error.message.rstrip('.')}. {error.hint}".rstrip(".")
        if definition.auth == "github-app":
            if definition.app_id is None and self._app_id is None:
                problems["app_id"] = "it is missing: neither the repository nor GITHUB_APP_ID names the App"
            if definition.secret is None and self._private_key_path is None:
                missing = "it is missing: neither a secret nor GITHUB_PRIVATE_KEY_PATH has the App's key"
                problems["secret"] = missing
        return problems

    def _app(self, repository: Definition) -> App:
        app_id = repository.app_id or self._app_id
        if app_id is None:
            raise GitHubAppFailed("Neither the repository nor GITHUB_APP_ID names the App.")
        own = repository.app_id is None or repository.app_id == self._app_id
        installation = repository.installation_id or (self._installation_id if own else None)
        return App(app_id=app_id, installation_id=installation, private_key=self._private_key(repository))

    def _private_key(self, repository: Definition) -> SecretText:
        if repository.secret is not None:
            return self._secrets.reveal_to_server(repository.secret)
        if self._private_key_path is None:
            raise GitHubAppFailed("Neither a secret nor GITHUB_PRIVATE_KEY_PATH has the App's private key.")
        try:
            return SecretText(self._private_key_path.read_text(encoding="ascii"))
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no text"
            raise GitHubAppFailed(
                f"GITHUB_PRIVATE_KEY_PATH ({self._private_key_path}) cannot be read: {why}.",
                hint="Point it to the App's .pem file, readable for the server's user alone.",
            ) from None
