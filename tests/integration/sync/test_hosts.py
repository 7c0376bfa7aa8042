"""Git hosts: what lets us in, what does not, what is refused before anything is fetched, and where secrets never are."""

import asyncio
import logging
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.integration.sync.conftest import ADMIN, House

from fastflow.kernel.sync.domain.errors import InvalidRepository, RepositoryFromSettings
from fastflow.kit.errors import InvalidInput
from fastflow.testing.git_host import GitHost, serve_git
from fastflow.testing.git_upstream import Upstream

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
TOKEN = "tok-3f2a1b0c9d8e"


@pytest.fixture
def git_host(upstream: Upstream) -> Iterator[GitHost]:
    with serve_git(upstream.bare.parent) as host:
        yield host


class Watch:
    """Every command line, environment and file that Git was given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.commands: list[list[str]] = []
        self.files = ""
        real = subprocess.Popen

        def popen(command: list[str], **kwargs: Any) -> Any:
            self.commands.append(command)
            process = real(command, **kwargs)
            for path in folder.rglob("*"):
                if path.is_file() and path.stat().st_size < 100_000:
                    self.files += path.read_bytes().decode("latin-1")
            return process

        monkeypatch.setattr(subprocess, "Popen", popen)


async def test_password_when_asked_for_then_it_lets_us_in_and_is_nowhere_to_be_seen(
    house: House,
    git_host: GitHost,
    data_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    git_host.users["x-access-token"] = TOKEN
    house.secret("GIT_TOKEN", TOKEN)
    house.add(url=f"{git_host.url}/flows.git", auth="password", secret="GIT_TOKEN")
    watch = Watch(monkeypatch, data_dir / "git")
    with caplog.at_level(logging.DEBUG):
        done = await house.sync()
        house.product.secrets.change("GIT_TOKEN", _change("another-one"), actor=ADMIN)
        house.upstream.push({"hello.py": "print('two')\n"})
        denied = await house.sync()
    assert done.state == "activated" and house.names() == ["hello"]
    assert any(header.startswith("Basic ") for header in git_host.authorizations)
    assert denied.state == "failed" and "refuses the credentials" in denied.why
    assert house.active() == done.commit
    assert len(watch.commands) > 3
    told = [" ".join(command) for command in watch.commands]
    told += [watch.files, caplog.text, denied.why, str(house.problem())]
    told += [str(event.data) for event in house.events(done) + house.events(denied)]
    told += [str(vars(entry)) for entry in house.product.audit.list().items]
    for text in told:
        assert TOKEN not in text and "another-one" not in text
    config = (data_dir / "git" / "flows.git" / "config").read_text()
    assert "url" not in config and "credential" not in config
    assert (data_dir / "git").stat().st_mode & 0o777 == 0o700


def _change(value: str) -> Any:
    from fastflow.kernel.secrets.domain.records import SecretChange
    from fastflow.kit.secret_text import SecretText

    return SecretChange(value=SecretText(value))


async def test_password_when_the_host_redirects_elsewhere_then_the_other_host_does_not_get_it(
    house: House, git_host: GitHost, tmp_path: Path
) -> None:
    git_host.users["x-access-token"] = TOKEN
    house.secret("GIT_TOKEN", TOKEN)
    house.add(url=f"{git_host.url}/flows.git", auth="password", secret="GIT_TOKEN")
    with serve_git(tmp_path) as thief:
        thief.users["x-access-token"] = "something else"
        git_host.redirect_to = thief.url
        failed = await house.sync()
    assert failed.state == "failed"
    assert thief.authorizations and not any(thief.authorizations)


def _app_key() -> tuple[str, rsa.RSAPublicKey]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    return pem.decode(), key.public_key()


async def test_github_app_when_it_has_a_key_then_a_token_of_one_repository_is_fetched_with_and_kept(
    build: Callable[..., House], git_host: GitHost, upstream: Upstream, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pem, git_host.app_key = _app_key()
    (tmp_path / "app.pem").write_text(pem)
    upstream.bare.parent.joinpath("acme").mkdir()
    upstream.bare.parent.joinpath("acme", "flows.git").symlink_to(upstream.bare)
    git_host.users["nobody"] = "but the app"
    house = build(github_api_url=git_host.url, github_app_id="12345", github_private_key_path=tmp_path / "app.pem")
    house.add(url=f"{git_host.url}/acme/flows.git", auth="github-app")
    with caplog.at_level(logging.DEBUG):
        done = await house.sync()
    assert done.state == "activated", done.why
    assert [claim["iss"] for claim in git_host.claims] == ["12345", "12345"], "found out, then exchanged"
    assert git_host.asked == [{"repositories": ["flows"], "permissions": {"contents": "read"}}]
    upstream.push({"hello.py": "print('two')\n"})
    assert (await house.sync()).state == "activated"
    assert len(git_host.asked) == 1, "the token still holds"
    assert "ghs_" not in caplog.text and "PRIVATE KEY" not in caplog.text


async def test_github_app_when_the_key_is_a_secret_or_wrong_then_it_works_or_says_so(
    house: House, build: Callable[..., House], git_host: GitHost
) -> None:
    pem, git_host.app_key = _app_key()
    house = build(github_api_url=git_host.url)
    house.secret("APP_KEY", pem)
    url = f"{git_host.url}/x/flows.git"
    values = {"url": url, "auth": "github-app", "secret": "APP_KEY", "app_id": "9"}
    with pytest.raises(InvalidRepository, match="GITHUB_APP_ID"):
        house.add(url=url, auth="github-app", secret="APP_KEY")
    house.add(**values, installation_id="1")
    assert "status 404" in (await house.sync()).why
    house.secret("NO_KEY", "this is no key")
    house.add("bad", **{**values, "secret": "NO_KEY"})
    failed = await house.sync("bad")
    assert "no RSA key in PEM form" in failed.why and "this is no key" not in failed.why
    house.add("away", **{**values, "url": "https://github.com/acme/flows.git"})
    assert "the App's tokens are for 127.0.0.1" in (await house.sync("away")).why


async def test_host_when_something_is_wrong_then_the_problem_says_what_and_the_old_version_stays(
    house: House, git_host: GitHost, upstream: Upstream
) -> None:
    url = f"{git_host.url}/flows.git"
    house.add(url=url)
    first = await house.sync()
    assert first.state == "activated"

    async def problem(*fields: str, **changes: Any) -> str:
        house.product.sync.repositories.change("flows", changes, actor=ADMIN)
        failed = await house.sync()
        assert failed.state == "failed" and house.active() == first.commit
        assert (house.problem() or "nothing") in failed.why
        # a look by itself comes to the same, without a row in the history
        repository = house.product.sync.repositories.get("flows", actor=ADMIN)
        assert await asyncio.to_thread(house.product.sync.work.check, repository, threading.Event()) is None
        assert tuple(failed.fields) == fields and failed.code is not None
        return failed.why

    told = await problem("branch", branch="mian")
    assert "has no branch 'mian'. Did you mean 'main'? It has main: correct" in told
    assert "There is no repository at" in await problem("url", url=f"{git_host.url}/gone.git", branch="main")
    assert "There is no repository at" in await problem("url", url=f"file://{upstream.bare}-gone")
    assert "does not answer" in await problem(url="http://127.0.0.1:1/flows.git")
    house.product.sync.repositories.change("flows", {"url": url}, actor=ADMIN)
    git_host.users["somebody"] = "else"
    assert "refuses the credentials" in (await house.sync()).why


async def test_address_when_it_is_dangerous_or_wrong_then_it_is_refused_before_anything_is_fetched(
    build: Callable[..., House], monkeypatch: pytest.MonkeyPatch, data_dir: Path
) -> None:
    house = build(git_protocols=("https", "ssh"))
    watch = Watch(monkeypatch, data_dir / "nothing")

    def refused(**values: Any) -> InvalidRepository:
        with pytest.raises(InvalidRepository) as caught:
            house.add(**values)
        return caught.value

    with_password = refused(url="https://ada:hunter2@host/flows.git")
    assert "credentials in it" in with_password.fields["url"] and "secret" in with_password.hint
    assert "hunter2" not in str(with_password)
    for url, problem in {
        "ext::sh -c touch% /tmp/x": "spaces",
        "ext::sh": "transport helper",
        "--upload-pack=touch": "an option",
        "/srv/flows.git": "a path",
        "../flows": "a path",
        "file:///srv/flows.git": "GIT_PROTOCOLS allows https, ssh alone",
        "http://host/flows.git": "GIT_PROTOCOLS allows https, ssh alone",
        "git://host/flows.git": "scheme 'git'",
        "https://-oProxyCommand=x/flows.git": "names no host",
        "ssh://-oProxyCommand=x/flows.git": "names no host",
        "https://host/": "names no repository",
        "https://host/a.git?x=1": "query",
    }.items():
        assert problem in refused(url=url).fields["url"], url
    fine = {"url": "https://host/flows.git"}
    assert "name of a branch" in refused(**fine, branch="--force").fields["branch"]
    assert "name of a branch" in refused(**fine, branch="a..b").fields["branch"]
    assert "inside the repository" in refused(**fine, subfolder="../up").fields["subfolder"]
    assert "inside the repository" in refused(**fine, subfolder=".git/hooks").fields["subfolder"]
    assert "pipeline's name" in refused(**fine, prefix="a/b").fields["prefix"]
    assert "interval" in refused(**fine, interval=1.0).fields
    ssh = refused(url="git@host:flows.git").fields
    assert "ssh" in ssh["auth"] and "ssh-keyscan" in ssh["host_keys"]
    house.secret("OPEN", "some-token", pipelines=None)
    assert "Pipelines may read OPEN" in refused(**fine, auth="password", secret="OPEN").fields["secret"]
    assert "no secret 'NONE'" in refused(**fine, auth="password", secret="NONE").fields["secret"]
    assert watch.commands == [] and house.product.sync.syncs.status(actor=ADMIN) == []


async def test_commit_when_it_holds_what_cannot_be_taken_then_each_file_is_named(
    house: House, upstream: Upstream, tmp_path: Path
) -> None:
    house.add()
    first = await house.sync()
    (upstream.work / "out").symlink_to("/etc")
    (upstream.work / "sub").mkdir()
    (upstream.work / "sub" / "up").symlink_to("../../..")
    upstream.push({"model.bin": "version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 12345\n"})
    failed = await house.sync()
    assert failed.state == "failed" and house.active() == first.commit
    assert "out: The symbolic link leads outside" in failed.why and "sub/up: The symbolic link" in failed.why
    assert "model.bin: The file is kept by Git LFS" in failed.why
    upstream.push({"model.bin": None, "out": None, "sub/up": None})
    # links that stay inside are followed
    (upstream.work / "again.py").symlink_to("hello.py")
    upstream.push({})
    assert (await house.sync()).state == "activated" and "again" in house.names()
    other = Upstream(tmp_path / "other")
    other.push({"x.py": "print()\n"})
    upstream.git("-c", "protocol.file.allow=always", "submodule", "add", "--quiet", str(other.bare), "lib")
    upstream.push({})
    failed = await house.sync()
    assert failed.state == "failed" and "lib: This is a submodule" in failed.why


async def test_repository_when_it_is_too_large_then_it_is_refused(
    build: Callable[..., House], upstream: Upstream
) -> None:
    house = build(git_max_mb=1.0)
    house.add()
    first = await house.sync()
    upstream.push({"data.txt": "x" * 2_000_000})  # packs to nothing, and is too large all the same
    failed = await house.sync()
    assert "The files of flows have 2 MB" in failed.why and "GIT_MAX_MB" in failed.why
    upstream.push({"data.txt": None})
    (upstream.work / "noise.bin").write_bytes(os.urandom(2_500_000))
    upstream.push({})
    failed = await house.sync()
    assert failed.state == "failed" and "GIT_MAX_MB" in failed.why
    assert house.active() == first.commit
    house.product.sync.repositories.change("flows", {"subfolder": "nowhere"}, actor=ADMIN)
    upstream.git("rm", "--quiet", "noise.bin")
    upstream.git("commit", "--quiet", "--amend", "--allow-empty", "--message", "Small")
    upstream.push({}, force=True)
    assert "has no folder 'nowhere'" in (await house.sync()).why


async def test_repository_when_it_has_hooks_and_configuration_of_its_own_then_nothing_of_it_is_started(
    house: House, upstream: Upstream, tmp_path: Path
) -> None:
    upstream.push({".gitattributes": "*.py filter=evil\n", "hello.py": "print('one')\n"})
    house.add()
    await house.sync()
    mirror = house.product.settings.data_dir / "git" / "flows.git"
    assert not (mirror / "hooks").exists()
    for name in ("post-checkout", "reference-transaction", "post-index-change"):
        (mirror / "hooks").mkdir(exist_ok=True)
        (mirror / "hooks" / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
        (mirror / "hooks" / name).chmod(0o755)
    upstream.push({"hello.py": "print('two')\n"})
    assert (await house.sync()).state == "activated"
    assert not (tmp_path / "started").exists()


async def test_ssh_when_used_then_the_key_is_in_a_private_file_for_as_long_as_it_takes(
    house: House, upstream: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data_dir: Path
) -> None:
    tools, told = tmp_path / "bin", tmp_path / "told"
    tools.mkdir()
    (tools / "ssh").write_text(
        f"""#!/bin/sh
echo "$@" > {told}
for word in "$@"; do key="$last"; last="$word"; [ "$key" = -i ] && {{ stat -c '%a' "$word"; cat "$word"; }} >> {told}; done
exec git-upload-pack {upstream.bare}
"""
    )
    (tools / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    from fastflow.bootstrap import build_product

    product = build_product(house.product.settings)
    try:
        own = House(product, upstream)
        own.secret("SSH_KEY", "-----BEGIN KEY-----\nabc\n-----END KEY-----")
        own.add(url="git@example.org:flows.git", auth="ssh", secret="SSH_KEY", host_keys="example.org ssh-ed25519 AAAA")
        done = await own.sync()
    finally:
        product.close()
    assert done.state == "activated", done.why
    said = told.read_text()
    assert "StrictHostKeyChecking=yes" in said and "BatchMode=yes" in said and "git@example.org" in said
    assert "600\n-----BEGIN KEY-----\nabc\n-----END KEY-----\n" in said
    assert not list((data_dir / "git").glob("ssh-*"))


async def test_git_when_it_is_missing_then_the_sync_says_so(
    house: House, upstream: Upstream, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    from fastflow.bootstrap import build_product

    product = build_product(house.product.settings)
    try:
        own = House(product, upstream)
        own.add()
        assert "There is no Git on this machine" in (await own.sync()).why
    finally:
        product.close()


async def test_git_when_it_takes_too_long_then_it_is_ended(
    house: House, upstream: Upstream, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "git").write_text(f"#!/bin/sh\necho $$ >> {tmp_path}/pids\nexec /bin/sleep 1000\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    from fastflow.bootstrap import build_product

    product = build_product(house.product.settings.model_copy(update={"git_timeout": 0.5}))
    try:
        own = House(product, upstream)
        own.add()
        assert "took longer than 0.5 s" in (await own.sync()).why
    finally:
        product.close()
    (pid,) = {int(line) for line in (tmp_path / "pids").read_text().split()}
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_settings_when_they_describe_a_repository_then_it_is_there_and_they_alone_change_it(
    build: Callable[..., House], upstream: Upstream
) -> None:
    given = {"git_url": upstream.url, "git_branch": "main", "git_prefix": "p-", "auto_sync_interval": 60.0}
    house = build(**given)
    again = build(**given)
    found = again.product.sync.repositories.get("default", actor=ADMIN)
    assert (found.origin, found.url, found.prefix) == ("settings", upstream.url, "p-")
    assert (await house.sync("default")).state == "activated"
    assert house.names() == ["p-hello"]
    with pytest.raises(RepositoryFromSettings):
        house.product.sync.repositories.change("default", {"branch": "x"}, actor=ADMIN)
    with pytest.raises(RepositoryFromSettings):
        house.product.sync.repositories.delete("default", actor=ADMIN, force=True)
    assert (
        build(**{**given, "git_branch": "other"}).product.sync.repositories.get("default", actor=ADMIN).branch
        == "other"
    )
    left = build()
    assert left.product.sync.repositories.get("default", actor=ADMIN).origin == "user"
    assert left.names() == ["p-hello"], "what is active stays until somebody removes it"
    with pytest.raises(InvalidInput, match="GIT_URL"):
        build(git_url="https://a:b@host/x.git")
