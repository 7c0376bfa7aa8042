"""What is in force of the settings and where each value came from, for people who look: secrets hidden.

The parent of `fastflow serve` tells its children by the environment what its flags said; it notes beside where the values
came from, so that they are not taken for the environment's own.
"""

import json
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

from dotenv import dotenv_values
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from fastflow.kit.addresses import without_credentials
from fastflow.kit.errors import InvalidInput
from fastflow.kit.value_problems import is_secret
from fastflow.settings import ENV_FILE, Settings, load_settings

Origin = Literal["default", "environment", "file", "flag", "derived"]
"""Nobody set it; a variable; a line of `.env`; a flag of the command line; worked out at the start."""
NOTED = "FASTFLOW_ORIGINS"
"""Variable by which the parent tells its children where values came from, as JSON."""
HIDDEN = "••••••••"


@dataclass(frozen=True, kw_only=True)
class Effective:
    """One setting.

    Attributes:
        name: of its variable.
        value: in force; '' when there is none; of a secret never more than that there is one.
        default: what it would be if nobody set it.
        later: what the next start would make of it, if that is something else: `.env` was changed since.
    """

    name: str
    description: str
    value: str
    default: str
    origin: Origin
    is_secret: bool
    later: str | None = None


def find_origins(*, flags: Collection[str] = (), derived: Collection[str] = ()) -> dict[str, Origin]:
    """Where every setting comes from now.

    Args:
        flags: names of those that flags gave.
        derived: names of those that are worked out unless somebody sets them.
    """
    environment = {name.lower() for name, value in os.environ.items() if value}  # noqa: TID251 - names alone, beside settings
    file = {name.lower() for name, value in dotenv_values(ENV_FILE, verbose=False).items() if value}
    noted = _noted()

    def origin(name: str) -> Origin:
        if name in flags:
            return "flag"
        if name in noted:
            return noted[name]
        if name in environment:
            return "environment"
        if name in file:
            return "file"
        return "derived" if name in derived else "default"

    return {name: origin(name) for name in Settings.model_fields}


def note_origins(names: Collection[str], *, flags: Collection[str], derived: Collection[str]) -> str:
    """What `NOTED` has to hold for children who find these names in their environment."""
    found = find_origins(flags=flags, derived=derived)
    return json.dumps({name: found[name] for name in names})


def _noted() -> Mapping[str, Origin]:
    try:
        told = json.loads(os.environ.get(NOTED, "{}"))  # noqa: TID251 - what the parent said
    except ValueError:
        return {}
    known = get_args(Origin)
    return {name: cast("Origin", origin) for name, origin in told.items() if origin in known}


class EffectiveSettings:
    """The settings of this process, as people see them.

    Args:
        settings: in force since the start.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._origins = find_origins()

    def look(self) -> tuple[Sequence[Effective], str]:
        """Every setting, and what is wrong with `.env` as it is now ('': nothing)."""
        try:
            later, problem = load_settings(), ""
        except InvalidInput as error:
            told = "; ".join(f"{name} {what}" for name, what in error.fields.items())
            later, problem = self._settings, told or error.message
        return [self._setting(name, field, later) for name, field in Settings.model_fields.items()], problem

    def _setting(self, name: str, field: FieldInfo, later: Settings) -> Effective:
        value, then = getattr(self._settings, name), getattr(later, name)
        return Effective(
            name=name.upper(),
            description=field.description or "",
            value=shown(value),
            default=shown(field.default),
            origin=self._origins[name],
            is_secret=is_secret(field.annotation),
            later=None if then == value else shown(then),
        )


def shown(value: Any) -> str:
    """A value in words; of a secret only that there is one.

    >>> shown(True), shown(900.0), shown(("https", "ssh")), shown(None)
    ('true', '900', 'https, ssh', '')
    """
    if value is None:
        return ""
    if isinstance(value, SecretStr):
        return HIDDEN if value.get_secret_value() else ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.15g}"
    if isinstance(value, tuple | list):
        return ", ".join(shown(each) for each in value)
    return str(value) if isinstance(value, Path) else without_credentials(str(value))
