"""Writes docs/reference/settings.md from the fields of `Settings`; `--check` only tells whether it is current."""

import sys
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from fastflow.settings import Settings

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "settings.md"

_HEAD = """# Settings

<!-- Written by `make docs` from src/fastflow/settings.py. Do not edit. -->

Settings are environment variables, or lines of a file `.env` in the folder the server is started from; a variable wins
over the file, a command-line flag over both. All are optional. A wrong value stops the start with a message that names
the variable. Durations are seconds, or text such as `90s`, `10m`, `1h30m`; sizes are bytes, or text such as `512MB`.

The `fastflow` command besides reads `FASTFLOW_URL` and `FASTFLOW_TOKEN`: with them it talks to that server, without them
it works on `DATA_DIR` itself.

| variable | takes | default | meaning |
|---|---|---|---|
"""

_WORDS: dict[Any, str] = {
    bool: "true or false",
    int: "whole number",
    float: "number",
    str: "text",
    Path: "path",
    SecretStr: "secret text",
}
_SAID_OTHERWISE = {
    "container_timeout": "duration",
    "stop_grace": "duration",
    "warm_idle": "duration",
    "run_memory": "size",
    "run_writable_paths": "paths separated by `:`",
    "run_readable_paths": "paths separated by `:`",
    "git_protocols": "words separated by `,`",
    "git_timeout": "duration",
    "auto_sync_interval": "duration",
    "session_idle": "duration",
    "oidc_scopes": "words separated by `,`",
    "oidc_email_domains": "domains separated by `,`",
}


def page() -> str:
    """The whole page."""
    rows = [
        f"| `{name.upper()}` | {_SAID_OTHERWISE.get(name) or _type_word(field.annotation)}{_bounds(field)} "
        f"| {_default(field)} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    return _HEAD + "\n".join(rows) + "\n"


def _type_word(annotation: Any) -> str:
    if get_origin(annotation) in (Union, UnionType):
        return " or ".join(_type_word(part) for part in get_args(annotation) if part is not NoneType)
    if get_origin(annotation) is Literal:
        return " or ".join(f"`{choice}`" for choice in get_args(annotation))
    return _WORDS[annotation]


def _bounds(field: FieldInfo) -> str:
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    found = [
        f"{sign} {getattr(limit, word):,}".replace(",", " ")
        for limit in field.metadata
        for word, sign in signs.items()
        if hasattr(limit, word)
    ]
    return f", {' and '.join(found)}" if found else ""


def _default(field: FieldInfo) -> str:
    if field.default in (None, (), PydanticUndefined):
        return "unset"
    if isinstance(field.default, bool):
        return f"`{str(field.default).lower()}`"
    if isinstance(field.default, float):
        return f"`{field.default:g}`"
    if isinstance(field.default, tuple):
        return f"`{','.join(field.default)}`"
    return f"`{field.default}`"


def main() -> int:
    """Write the page, or with `--check` answer 1 when it is out of date."""
    if "--check" in sys.argv[1:]:
        return 0 if PAGE.exists() and PAGE.read_text() == page() else 1
    PAGE.write_text(page())
    print(f"{PAGE.name}: {len(Settings.model_fields)} settings")
    return 0


if __name__ == "__main__":
    sys.exit(main())
