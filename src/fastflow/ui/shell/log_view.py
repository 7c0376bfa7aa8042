"""The live log as an element of a page; what it does, it does in the browser (`log_view.js`)."""

from nicegui.element import Element

from fastflow.ui.texts import Texts

_WORDS = (
    "title", "find", "first_error", "times", "follow", "following", "download", "nothing", "waiting", "removed", "lines", "line",
    "lost", "ended", "streaming", "link", "beginning", "lines_at_end",
    "search_all", "searching", "part",
)  # fmt: skip


class LogView(Element, component="log_view.js", esm={"fastflow-log": "log"}):
    """A run's log, following its end.

    Args:
        t: the words.
        run_id: whose.
    """

    def __init__(self, t: Texts, run_id: str) -> None:
        super().__init__()
        self._props["url"] = f"/runs/{run_id}/logs"
        self._props["language"] = t.language
        # `{n}` is filled in by the browser
        self._props["words"] = {word: t(f"log.{word}") for word in _WORDS}
