"""Which keys and values are accepted. A secret becomes an environment variable of the run, and its value is masked in
the log: both set limits."""

import re

from fastflow.kit.errors import InvalidInput
from fastflow.kit.secret_text import SecretText

MAX_VALUE_BYTES = 64 * 1024
"""Well below the 128 KiB that Linux allows one environment variable."""
MIN_SECRET_LENGTH = 4
"""Shorter text turns up in any log by chance: masking it would mangle the log and tell the value."""
MAX_PIPELINES = 1000

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_PIPELINE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")
_RESERVED_PREFIXES = ("PARAM_", "FASTFLOW_", "LD_", "PYTHON")
_RESERVED = frozenset({"PATH", "HOME", "TMPDIR", "USER", "LOGNAME", "SHELL", "PWD", "IFS", "ENV", "BASH_ENV"})


def check_key(key: str) -> str:
    """`key`, when it can be the name of an environment variable that is a pipeline's to use.

    Raises:
        InvalidInput: it cannot, or is reserved.
    """
    if not _KEY.fullmatch(key):
        raise InvalidInput(
            f"{key[:80]!r} cannot be the name of an environment variable.",
            code="invalid_key",
            hint="Use 1 to 128 letters, digits and underscores, not beginning with a digit: DB_PASSWORD.",
            fields={"key": "must match [A-Za-z_][A-Za-z0-9_]{0,127}"},
        )
    if key.upper() in _RESERVED or key.upper().startswith(_RESERVED_PREFIXES):
        raise InvalidInput(
            f"{key} is reserved: it would change how the run itself works.",
            code="reserved_key",
            hint="Choose another name; PARAM_…, FASTFLOW_…, LD_…, PYTHON…, PATH, HOME and the like are taken.",
            fields={"key": "is reserved"},
        )
    return key


def check_value(value: SecretText, *, is_parameter: bool) -> SecretText:
    """`value`, when it can be kept, handed in as an environment variable, and masked.

    Raises:
        InvalidInput: it cannot; never shows the value.
    """
    text = value.reveal()
    problem, hint = None, "Correct the value and send it again."
    if "\0" in text:
        problem, hint = "holds a null byte", "No environment variable can hold one: encode the value, e.g. as base64."
    elif not text.isascii() and not _is_unicode(text):
        problem, hint = "is not valid Unicode", "Send it as UTF-8; encode binary values, e.g. as base64."
    elif len(text.encode()) > MAX_VALUE_BYTES:
        problem = f"is larger than {MAX_VALUE_BYTES // 1024} KiB"
        hint = "Keep a large value in a file or a store, and its address or key here."
    elif not is_parameter and len(text.strip()) < MIN_SECRET_LENGTH:
        problem = f"has fewer than {MIN_SECRET_LENGTH} characters, too few to be masked in a log"
        hint = "Use a longer secret; if it need not be hidden, set it as a parameter (`is_parameter`: true)."
    if problem:
        raise InvalidInput(f"The value {problem}.", code="invalid_value", hint=hint, fields={"value": problem})
    return value


def check_pipelines(pipelines: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """The allow-list without repeats; None means every pipeline that lists the key.

    Raises:
        InvalidInput: an entry cannot be the name of a pipeline, or there are too many.
    """
    if pipelines is None:
        return None
    wrong = [name for name in pipelines if not _PIPELINE_NAME.fullmatch(name)]
    if wrong or len(pipelines) > MAX_PIPELINES:
        problem = f"{wrong[0][:80]!r} cannot be the name of a pipeline" if wrong else f"more than {MAX_PIPELINES} names"
        raise InvalidInput(
            f"The list of pipelines is not usable: {problem}.",
            code="invalid_pipelines",
            hint="Name the pipelines that may read it; null lets every pipeline read it that lists the key.",
            fields={"pipelines": problem},
        )
    return tuple(dict.fromkeys(pipelines))


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)
