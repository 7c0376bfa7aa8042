"""Addresses (URLs) that may hold a user and a password: shown without them, and taken apart."""

import re
from urllib.parse import unquote, urlsplit, urlunsplit

_CREDENTIALS = re.compile(
    r"""(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)"""
    r"""(?:[^\s"'<>/?#]*"""  # as it should be written
    r"""|[^\s"'<>/@:]+:(?!\d+(?:[/?#]|$))[^\s"'<>]*)@"""  # a password with a slash in it, which no port has
)
HIDDEN = "***"


def without_credentials(text: str) -> str:
    """The text with what stands before the host of every address in it left out.

    Where a password is not encoded as it should be, more is left out: too little is shown rather than too much.

    >>> without_credentials("http://ada:secret@collector:4318/v1 does not answer; nor does https://host/x")
    'http://***@collector:4318/v1 does not answer; nor does https://host/x'
    """
    if "://" not in text or "@" not in text:
        return text
    return _CREDENTIALS.sub(rf"\g<scheme>{HIDDEN}@", text)


def has_credentials(url: str) -> bool:
    """Whether there is a user or a password in the address."""
    return without_credentials(url) != url


def take_credentials(url: str) -> tuple[str, tuple[str, str] | None]:
    """The address without its user and password, and these.

    >>> take_credentials("http://ada:p%40ss@collector:4318/v1")
    ('http://collector:4318/v1', ('ada', 'p@ss'))
    >>> take_credentials("http://collector:4318")
    ('http://collector:4318', None)
    """
    parts = urlsplit(url)
    given, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, None
    user, _, password = given.partition(":")
    return urlunsplit(parts._replace(netloc=host)), (unquote(user), unquote(password))
