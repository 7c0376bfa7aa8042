"""TLS to PostgreSQL, as the options of its own clients in the URL say.

Source: https://www.postgresql.org/docs/current/libpq-ssl.html (`sslmode`, `sslrootcert`, `sslcert`, `sslkey`).
"""

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
OPTIONS = ("sslmode", "sslrootcert", "sslcert", "sslkey")
_REFUSED = "Server refuses SSL"


class NotOffered(Exception):
    """The server has no TLS, and the URL asks for it."""


@dataclass(frozen=True, kw_only=True)
class Tls:
    """How a connection is encrypted and whom it trusts.

    Attributes:
        mode: one of `MODES`. `allow` is taken as `prefer`: encrypted where the server can. Neither, nor `require` without
            `root`, proves who answers.
        root: file of the authorities that are trusted; None or `system`: those the machine trusts.
        certificate: file of our own certificate, for servers that ask for one.
        key: file of its key; None: it is in the certificate's file.
    """

    mode: str = "prefer"
    root: str | None = None
    certificate: str | None = None
    key: str | None = None

    @classmethod
    def of(cls, options: Mapping[str, str], *, has_network: bool = True) -> "Tls":
        """What the URL's options say; a socket of this machine is not encrypted.

        Raises:
            ValueError: an option has a value that is none; says which.
        """
        made = cls(
            mode=options.get("sslmode", "prefer"),
            root=options.get("sslrootcert"),
            certificate=options.get("sslcert"),
            key=options.get("sslkey"),
        )
        if made.mode not in MODES:
            raise ValueError(f"sslmode is {made.mode!r}, and none of {', '.join(MODES)}")
        for name in OPTIONS[1:]:
            path = options.get(name)
            if path is not None and not (name == "sslrootcert" and path == "system") and not Path(path).is_file():
                raise ValueError(f"{name} names a file that is not there: {path}")
        if made.mode != "disable" and has_network:
            try:
                made.context  # noqa: B018  read now, so that a bad file is told at the start
            except (OSError, ValueError) as error:
                raise ValueError(f"sslrootcert, sslcert or sslkey cannot be read: {error}") from error
        return made if has_network else cls(mode="disable")

    @property
    def is_optional(self) -> bool:
        """Whether a connection without TLS will do."""
        return self.mode in ("allow", "prefer")

    @property
    def _verifies(self) -> bool:
        return self.mode.startswith("verify") or (self.mode == "require" and self.root is not None)

    @cached_property
    def context(self) -> ssl.SSLContext:
        """Made once: reading what the machine trusts takes longer than connecting does."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = self.mode == "verify-full"
        if not self._verifies:
            context.verify_mode = ssl.CERT_NONE
        elif self.root is None or self.root == "system":
            context.load_default_certs()
        else:
            context.load_verify_locations(self.root)
        if self.certificate is not None:
            context.load_cert_chain(self.certificate, self.key)
        return context

    def for_asyncpg(self) -> Any:
        """What asyncpg takes as `ssl`."""
        if self.mode == "disable":
            return False
        return "prefer" if self.is_optional else self.context


class Connector:
    """Makes connections with pg8000, whose own way reads the machine's certificates anew for each.

    Args:
        tls: how they are encrypted.
    """

    def __init__(self, tls: Tls) -> None:
        self._tls = tls
        self._plain = tls.mode == "disable"

    def __call__(self, connect: Callable[..., Any], options: Mapping[str, Any]) -> Any:
        """A connection by `connect(**options)`.

        Raises:
            NotOffered: the server has no TLS and the URL asks for it.
        """
        if not self._plain:
            try:
                return connect(**options, ssl_context=self._tls.context)
            except Exception as error:
                if _REFUSED not in str(error):
                    raise
                if not self._tls.is_optional:
                    raise NotOffered from error
                self._plain = True  # it will not change its mind while we run: ask no second time
        return connect(**options, ssl_context=False)
