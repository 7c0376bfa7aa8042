"""What it takes to build an environment on a machine that has nothing of ours. Pure: texts in, texts out."""

import tomllib
from collections.abc import Mapping, Sequence

from fastflow.kernel.environments.domain.environment import EnvironmentCard, EnvironmentRequest, uncommented
from fastflow.kernel.executors.port import EnvironmentRecipe

_INDEX_OPTIONS = (
    "-i", "--index-url", "--extra-index-url", "-f", "--find-links", "--no-index", "--no-binary", "--only-binary"
)  # fmt: skip
_INDEX_VARIABLES = frozenset(
    {
        "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_NO_INDEX", "UV_INSECURE_HOST", "UV_EXCLUDE_NEWER",
        "UV_KEYRING_PROVIDER", "UV_TORCH_BACKEND", "UV_NO_BUILD", "UV_NO_BINARY",
    }
)  # fmt: skip
_INDEX_PREFIX = "UV_INDEX"


def recipe_of(
    card: EnvironmentCard, request: EnvironmentRequest, *, platform: str, variables: Mapping[str, str]
) -> EnvironmentRecipe:
    """The recipe of the environment on the card.

    Args:
        card: holds the lock.
        request: what it was locked for.
        platform: that the lock holds for.
        variables: what uv is given here; only what names indexes goes along.
    """
    return EnvironmentRecipe(
        hash=card.hash,
        lock=card.lock,
        platform=platform,
        python=interpreter_request(card.interpreter),
        files={**request.content, **configuration_of(request)},
        index_options=index_options(request),
        needs_code=request.needs_code,
        variables=index_variables(variables),
    )


def interpreter_request(version: str) -> str:
    """What uv is asked for, so that a lock for this interpreter holds.

    >>> interpreter_request("cpython-3.11.7"), interpreter_request("pypy-3.10.14")
    ('3.11', 'pypy@3.10')
    """
    implementation, _, number = version.partition("-")
    minor = ".".join(number.split(".")[:2])
    return minor if implementation == "cpython" else f"{implementation}@{minor}"


def index_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Of uv's variables those that say where packages come from, whatever the machine.

    >>> index_variables({"UV_INDEX_MINE_USERNAME": "me", "UV_CACHE_DIR": "/cache", "HOME": "/root"})
    {'UV_INDEX_MINE_USERNAME': 'me'}
    """
    return {
        name: value
        for name, value in environ.items()
        if name in _INDEX_VARIABLES or (name.startswith(_INDEX_PREFIX) and not value.startswith(("/", "file:")))
    }


def index_options(request: EnvironmentRequest) -> Sequence[str]:
    """The lines of the request's requirement files that say where packages come from; never stored, because they may
    hold credentials."""
    lines = [
        line.strip() for name, text in request.content.items() if name.endswith(".txt") for line in text.splitlines()
    ]
    return [line for line in lines if line.replace("=", " ").split(" ")[0] in _INDEX_OPTIONS]


def configuration_of(request: EnvironmentRequest) -> dict[str, str]:
    """Files that uv must find beside the request's own: a script's settings as it reads them, and an empty uv.toml where
    it would else look for configuration in all folders above."""
    found: dict[str, str] = {}
    if request.kind == "script":
        block = request.content[request.script]
        if "[tool.uv" in block:  # `uv pip sync` does not read it in a script; as a pyproject.toml it does
            found["pyproject.toml"] = uncommented(block)
    if "uv.toml" in request.content:
        return found
    try:
        project = tomllib.loads(found.get("pyproject.toml") or request.content.get("pyproject.toml", ""))
    except tomllib.TOMLDecodeError:  # uv will say so in its own words
        return found
    if "uv" not in project.get("tool", {}):
        found["uv.toml"] = ""
    return found
