"""How Git convinces a host, without the secret ever being in an argument, a URL or Git's configuration.

A password goes through the environment to a helper that Git asks for this one host alone. A private SSH key is in a file
that only the server's user may read, for as long as the command takes.
"""

import os
import shlex
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from fastflow.kernel.sync.domain.repository import DEFAULT_USER, Definition
from fastflow.kernel.sync.ports import Credentials

_USER, _PASSWORD = "FASTFLOW_GIT_USERNAME", "FASTFLOW_GIT_PASSWORD"
_HELPER = f"""!f() {{ test "$1" = get && printf 'username=%s\\npassword=%s\\n' "${_USER}" "${_PASSWORD}"; }}; f"""
_SSH = (
    "ssh", "-F", "/dev/null", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-o",
    "StrictHostKeyChecking=yes", "-o", "GlobalKnownHostsFile=/dev/null", "-o", "ForwardAgent=no", "-o", "ClearAllForwardings=yes",
    "-o", "ConnectTimeout=20", "-o", "PreferredAuthentications=publickey",
)  # fmt: skip


@dataclass(frozen=True)
class Access:
    """What a command that talks to a host is given.

    Attributes:
        environ: variables.
        options: configuration; holds no secret.
        hidden: texts that must not be told.
    """

    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    options: Sequence[str] = ()
    hidden: Sequence[str] = field(default=(), repr=False)


@contextmanager
def access_to(repository: Definition, credentials: Credentials, folder: Path) -> Iterator[Access]:
    """What Git needs to be let in.

    Args:
        repository: its URL is a checked one.
        credentials: perhaps empty.
        folder: the server's own; for the files of SSH.
    """
    if credentials.private_key is not None:
        with _ssh_files(credentials, folder) as command:
            yield Access({"GIT_SSH_COMMAND": command, "GIT_SSH_VARIANT": "ssh"}, ("credential.helper=",))
        return
    if credentials.password is None:
        yield Access(options=("credential.helper=",))
        return
    password = credentials.password.reveal()
    environ = {_USER: credentials.username or DEFAULT_USER, _PASSWORD: password}
    # for this host alone: a redirect to another one gets nothing
    helper = f"credential.{repository.address.origin}.helper={_HELPER}"
    yield Access(environ, ("credential.helper=", helper, "http.followRedirects=initial"), (password,))


@contextmanager
def _ssh_files(credentials: Credentials, folder: Path) -> Iterator[str]:
    assert credentials.private_key is not None
    with tempfile.TemporaryDirectory(prefix="ssh-", dir=folder) as made:
        key, hosts = Path(made) / "key", Path(made) / "known_hosts"
        _write_privately(key, credentials.private_key.reveal().rstrip("\n") + "\n")
        _write_privately(hosts, credentials.host_keys.rstrip("\n") + "\n")
        yield shlex.join([*_SSH, "-o", f"UserKnownHostsFile={hosts}", "-i", str(key)])


def _write_privately(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
