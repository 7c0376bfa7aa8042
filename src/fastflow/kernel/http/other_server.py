"""Another server of the same installation, for those who find out which one has the answer.

Apart from `forwarding`, which imports a client library: a server that has the database to itself does without it.
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class OtherServer:
    """Where the answer is.

    Attributes:
        name: what people call it.
        url: where it can be reached; None when it never said so.
    """

    name: str
    url: str | None


FindServer = Callable[[str], OtherServer | None]
"""Of a path with its query: the other server that has it; None: it is ours to answer. May look into the database."""
