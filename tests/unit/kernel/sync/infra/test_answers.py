"""Git's own words and the errors they become."""

import pytest

from fastflow.kernel.sync.domain import errors
from fastflow.kernel.sync.domain.repository import Definition
from fastflow.kernel.sync.infra.answers import error_of

FLOWS = Definition(name="flows", url="https://host/flows.git", branch="main")


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        ("fatal: couldn't find remote ref refs/heads/main", errors.BranchNotFound),
        ("fatal: Authentication failed for 'https://host/flows.git/'", errors.RemoteDenied),
        ("fatal: could not read Username for 'https://host': terminal prompts disabled", errors.RemoteDenied),
        (
            "git@host: Permission denied (publickey).\nfatal: Could not read from remote repository.",
            errors.RemoteDenied,
        ),
        ("Host key verification failed.\nfatal: Could not read from remote repository.", errors.RemoteDenied),
        ("fatal: unable to access 'https://host/': The requested URL returned error: 403", errors.RemoteDenied),
        ("fatal: repository 'https://host/flows.git/' not found", errors.RemoteGone),
        ("remote: Repository not found.\nfatal: repository 'x' not found", errors.RemoteGone),
        ("fatal: '/srv/x' does not appear to be a git repository", errors.RemoteGone),
        ("fatal: unable to access 'https://host/': Could not resolve host: host", errors.RemoteUnreachable),
        ("fatal: unable to access 'https://host/': Failed to connect to host port 443", errors.RemoteUnreachable),
        ("fatal: unable to access 'https://host/': SSL certificate problem", errors.RemoteUnreachable),
        ("fatal: unable to access 'https://host/': The requested URL returned error: 502", errors.RemoteUnreachable),
        (
            "error: object 12: fullPathname: contains full pathnames\nfatal: fsck error in packed object",
            errors.CodeUnusable,
        ),
        ("fatal: something else\x1b[31m", errors.GitFailed),
        ("", errors.GitFailed),
    ],
)
def test_words_when_git_fails_then_they_become_the_error_that_fits(told: str, kind: type[Exception]) -> None:
    error = error_of(told, FLOWS)
    assert type(error) is kind
    assert "flows" in error.message and error.hint and "\x1b" not in error.message
