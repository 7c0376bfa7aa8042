"""Errors of syncing."""

from collections.abc import Mapping

from fastflow.kit.errors import Conflict, Forbidden, InvalidInput, NotFound, Unavailable
from fastflow.kit.words import in_a_sentence


class RepositoryNotFound(NotFound):
    """There is no repository of that name."""

    default_code = "repository_not_found"
    default_hint = "`GET /sync/repositories` lists them; `POST /sync/repositories` adds one."


class NoRepository(Conflict):
    """There is nothing to sync with."""

    default_code = "no_repository"
    default_hint = "Add one with `POST /sync/repositories`, or set GIT_URL. Pipelines in PIPELINES_DIR need no sync."


class RepositoryExists(Conflict):
    """The name is taken."""

    default_code = "repository_exists"
    default_hint = "Choose another name, or change the one there is."


class RepositoryFromSettings(Conflict):
    """The repository is described by the server's settings, which alone change it."""

    default_code = "repository_from_settings"
    default_hint = "Change GIT_URL and its companions in the server's environment, and restart it."


class InvalidRepository(InvalidInput):
    """A repository that cannot be synced from as it is described."""

    default_code = "invalid_repository"
    default_hint = "Correct the named fields."

    def __init__(self, problems: Mapping[str, str], *, hint: str | None = None) -> None:
        super().__init__(f"The repository cannot be used: {in_a_sentence(problems)}", hint=hint, fields=problems)


class SyncNotFound(NotFound):
    """There is no sync of that id."""

    default_code = "sync_not_found"
    default_hint = "`GET /sync/history` lists them."


class VersionNotFound(NotFound):
    """The repository never had that commit active, or its files are gone."""

    default_code = "version_not_found"
    default_hint = "`GET /sync/history` shows which commits were active."


class SyncRefused(Conflict):
    """What is asked for would break or stop something, and is not forced."""

    default_code = "sync_refused"
    default_hint = "Mend what is named, or repeat it with `force`."


class SyncLost(Conflict):
    """Another server has taken the sync over."""

    default_code = "sync_lost"
    default_hint = "`GET /sync/status` shows what became of it."


class SyncOvertaken(Conflict):
    """Another version was made active while this one was prepared."""

    default_code = "sync_overtaken"
    default_hint = "Sync again: `POST /sync`."


class WebhookRefused(Forbidden):
    """A webhook that is not known to come from where it says."""

    default_code = "webhook_refused"
    default_hint = (
        "Set the same secret at the repository's host and here: content type application/json, and the key of the secret as "
        "the repository's `webhook_secret`."
    )


class WebhookRepeated(Conflict):
    """The very same delivery was taken before."""

    default_code = "webhook_repeated"
    default_hint = "Nothing needs to be done: the first delivery counts. `POST /sync` syncs by hand."


class GitFailed(Unavailable):
    """Git could not do what was asked."""

    default_code = "git_failed"
    default_hint = "`fastflow doctor` tells whether Git is there; the message is Git's own."


class GitMissing(Unavailable):
    """There is no Git on this machine."""

    default_code = "git_missing"
    default_hint = "Install Git on the server's machine (for example `apt-get install git`)."


class RemoteUnreachable(Unavailable):
    """The repository's host does not answer."""

    default_code = "remote_unreachable"
    default_hint = "Check the URL and the network of the server; the active version goes on."


class RemoteGone(Conflict):
    """There is no such repository, or these credentials do not show it."""

    default_code = "remote_not_found"
    default_hint = (
        "Check the URL, and that the credentials may read the repository; a private one looks like a missing one."
    )


class RemoteDenied(Conflict):
    """The host refuses the credentials."""

    default_code = "remote_denied"
    default_hint = "Give the repository's secret a new value, or name the right one."


class BranchNotFound(Conflict):
    """The repository has no such branch."""

    default_code = "branch_not_found"
    default_hint = "Correct the repository's branch, or push it."


class CodeTooLarge(Conflict):
    """The repository holds more than is taken."""

    default_code = "code_too_large"
    default_hint = "Keep data elsewhere, name a subfolder, or raise GIT_MAX_MB."


class CodeUnusable(Conflict):
    """The commit holds what cannot be checked out here."""

    default_code = "code_unusable"
    default_hint = "Correct the named files and push again."


class GitHubAppFailed(Unavailable):
    """GitHub gave no token for the installation."""

    default_code = "github_app_failed"
    default_hint = (
        "Check the App's id, installation and private key, and that it is installed with read access to contents."
    )
