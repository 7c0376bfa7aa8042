"""What can be a repository."""

import pytest

from fastflow.kernel.sync.domain.repository import BadAddress, Definition, definition_problems, parse_address

PROTOCOLS = ("https", "ssh")


@pytest.mark.parametrize(
    ("url", "origin", "path"),
    [
        ("https://github.com/acme/flows.git", "https://github.com", "/acme/flows.git"),
        ("https://host:8443/flows", "https://host:8443", "/flows"),
        ("ssh://git@host:2222/flows.git", "ssh://host:2222", "/flows.git"),
        ("git@host:team/flows.git", "ssh://host", "/team/flows.git"),
        ("https://[::1]:8000/x.git", "https://::1:8000", "/x.git"),
    ],
)
def test_address_when_it_is_one_then_its_parts_are_known(url: str, origin: str, path: str) -> None:
    address = parse_address(url)
    assert (address.origin, address.path) == (origin, path)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "flows",
        "./flows.git",
        "-x",
        "--upload-pack=sh",
        "ext::sh -c x",
        "fd::17/foo",
        "https://user:pass@host/x.git",
        "https://token@host/x.git",
        "ssh://git:pass@host/x.git",
        "https:///x.git",
        "https://-x/x.git",
        "ssh://-oProxyCommand=x/y",
        "-oProxyCommand=x:y",
        "git@-host:x",
        "git@host:-x\n",
        "https://host:port/x.git",
        "https://host",
        "ftp://host/x.git",
        "file://host/x.git",
        "https://host/x.git#y",
        "https://host/" + "x" * 2000,
    ],
)
def test_address_when_it_is_none_or_dangerous_then_it_is_refused(url: str) -> None:
    with pytest.raises(BadAddress) as refused:
        parse_address(url)
    assert refused.value.hint


@pytest.mark.parametrize("branch", ["main", "release/1.2", "fix_#7", "ä"])
def test_branch_when_git_takes_it_then_there_is_no_problem(branch: str) -> None:
    assert definition_problems(Definition(name="a", url="https://h/x", branch=branch), PROTOCOLS) == {}


@pytest.mark.parametrize(
    "branch", ["", "-x", "a b", "a..b", "a/", "/a", "a.lock", "a~1", "a^", "a:b", "@", "a@{1}", ".a"]
)
def test_branch_when_git_would_not_take_it_then_it_is_named(branch: str) -> None:
    assert "branch" in definition_problems(Definition(name="a", url="https://h/x", branch=branch), PROTOCOLS)


@pytest.mark.parametrize("path", ["..", "a/../b", "/a", "a//b", ".git", "a/.GIT/x", "-x", "a\\b", "a:b", "a/"])
def test_subfolder_when_it_leads_elsewhere_then_it_is_named(path: str) -> None:
    assert "subfolder" in definition_problems(Definition(name="a", url="https://h/x", subfolder=path), PROTOCOLS)


@pytest.mark.parametrize("name", ["", "A", "a b", "a/b", "../a", "-a", "a" * 64])
def test_name_when_it_cannot_be_one_then_it_is_named(name: str) -> None:
    assert "name" in definition_problems(Definition(name=name, url="https://h/x"), PROTOCOLS)


def test_credentials_when_something_is_missing_then_each_field_is_named() -> None:
    ssh = Definition(name="a", url="git@h:x.git")
    assert set(definition_problems(ssh, PROTOCOLS)) == {"auth", "host_keys"}
    key = Definition(name="a", url="git@h:x.git", auth="ssh", secret="K", host_keys="h ssh-ed25519 AAAA")
    assert definition_problems(key, PROTOCOLS) == {}
    assert set(definition_problems(Definition(name="a", url="https://h/x", auth="password"), PROTOCOLS)) == {"secret"}
    assert set(definition_problems(Definition(name="a", url="https://h/x", secret="K"), PROTOCOLS)) == {"auth"}
    assert set(definition_problems(Definition(name="a", url="https://h/x", auth="ssh", secret="K"), PROTOCOLS)) == {
        "auth"
    }
    local = Definition(name="a", url="file:///x", auth="password", secret="K")
    assert set(definition_problems(local, ("file",))) == {"auth"}
