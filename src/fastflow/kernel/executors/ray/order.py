"""What an agent is told, and the token it is exchanged for.

Nothing of it goes through the cluster, whose dashboard shows a job's every word: the job carries the token alone, which is
good for one exchange. On the server's disk the order is encrypted with that token, of which only a digest is kept.
"""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from cryptography.fernet import Fernet

from fastflow.kernel.executors.port import OWN_PYTHON, RunSpec


@dataclass(frozen=True, kw_only=True)
class UvBinary:
    """The server's uv, for nodes that have none.

    Attributes:
        version: such as `0.8.3`.
        sha256: of the file.
        platform: what it runs on.
    """

    version: str
    sha256: str
    platform: str


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What is the same for every attempt.

    Attributes:
        node_dir: our folder on each node; None: in /var/tmp.
        chunk_bytes: what an agent sends at once.
        artifacts_max_bytes: of all artifacts of a run together.
        environment_days: days after its last use when an environment on a node may go.
    """

    node_dir: str | None
    chunk_bytes: int
    artifacts_max_bytes: int
    environment_days: float


def new_token() -> str:
    """A token that nobody can guess."""
    return secrets.token_urlsafe(32)


def digest_of(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(b"fastflow agent\0" + token.encode()).hexdigest()


def is_token(given: str, digest: str) -> bool:
    """Whether the token is the one of the digest; takes as long either way."""
    return hmac.compare_digest(digest_of(given), digest)


def session_token(token: str, nonce: str) -> str:
    """The token that goes with everything after the exchange; the same for a repeated request."""
    made = hmac.digest(token.encode(), b"session\0" + nonce.encode(), "sha256")
    return base64.urlsafe_b64encode(made).decode().rstrip("=")


def encrypt(order: Mapping[str, Any], token: str) -> bytes:
    """The order, readable with the token alone."""
    return _cipher(token).encrypt(json.dumps(order).encode())


def decrypt(data: bytes, token: str) -> dict[str, Any]:
    """The order again."""
    order: dict[str, Any] = json.loads(_cipher(token).decrypt(data))
    return order


def _cipher(token: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(b"fastflow order\0" + token.encode()).digest()))


def build_order(spec: RunSpec, terms: Terms, uv: UvBinary | None) -> dict[str, Any]:
    """What the agent of this run is told; `uv` is needed with a recipe."""
    recipe = None
    if spec.recipe is not None:
        recipe = {**asdict(spec.recipe), "uv": None if uv is None else asdict(uv)}
        recipe["index_options"] = list(spec.recipe.index_options)
    return {
        "run_id": spec.key.run_id,
        "attempt": spec.key.token,
        "pipeline_name": spec.pipeline_name,
        "script": spec.script,
        "python": None if spec.recipe is not None or spec.python == OWN_PYTHON else str(spec.python),
        "recipe": recipe,
        "env": dict(spec.env),
        "params": dict(spec.params),
        "secrets": list(spec.secrets),
        "limits": asdict(spec.limits),
        "log_max_bytes": spec.log_max_bytes,
        "run_timeout": spec.run_timeout,
        "idle_timeout": spec.idle_timeout,
        "grace": spec.grace,
        "network": spec.network,
        **asdict(terms),
    }
