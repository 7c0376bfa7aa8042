"""What the palette offers of secrets: their keys. No value is looked at, a parameter's neither."""

from collections.abc import Sequence
from urllib.parse import quote

from fastflow.kernel.secrets.service import SecretService
from fastflow.kit.identity import Actor, Role
from fastflow.ui.manifest import Finder, Found, fits
from fastflow.ui.texts import Data, Texts

_SEARCHED = 500
"""More keys than this are found by their page alone."""


def find_secrets(secrets: SecretService) -> Finder:
    """The group over all keys; none is listed before one is asked for."""

    def find(_t: Texts, actor: Actor, wanted: str) -> Sequence[Found]:
        if actor.highest_role < Role.VIEWER or not wanted.strip():
            return []
        keys = [secret.key for secret in secrets.list(actor=actor, limit=_SEARCHED).items]
        return [
            Found(label=Data(key), path=f"/secrets/{quote(key, safe='')}")
            for key in keys
            if fits(f"{key} {key.replace('_', ' ')}", wanted)
        ]

    return Finder(title="secrets.title", find=find)
