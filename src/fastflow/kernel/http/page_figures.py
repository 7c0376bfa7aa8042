"""How much is open in a web process: what `/metrics` tells beside the requests it answered."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class PageFigures:
    """A web process at one moment.

    Attributes:
        open: pages of the interface that browsers hold, or lost a moment ago.
        tasks: of its event loop, such as a page's timer or a stream that is read; 0 until a page was opened.
    """

    open: int = 0
    tasks: int = 0
