"""Which pipelines may read a secret, as people choose it."""

from collections.abc import Sequence

from fastflow.ui.shell.forms import choice_field, many_field
from fastflow.ui.shell.page import Page

_ALL, _SOME, _NONE = "all", "some", "none"


class Allowing:
    """The fields that say it.

    Args:
        page: where they are.
        pipelines: to choose from.
        begun: what they begin with; None: every pipeline that lists the key.
        may_all: whether the reader may let every pipeline read it, or the server alone.
    """

    def __init__(self, page: Page, pipelines: Sequence[str], begun: Sequence[str] | None, *, may_all: bool) -> None:
        t = page.t
        ways = {_SOME: t("secrets.allow_some")}
        if may_all:
            ways = {_ALL: t("secrets.allow_all"), **ways, _NONE: t("secrets.allow_none")}
        chosen = _ALL if begun is None else _SOME if begun else _NONE
        names = {name: name for name in sorted({*pipelines, *(begun or ())})}
        self._way = choice_field(
            page, t("secrets.allowed"), ways, chosen if chosen in ways else _SOME, changed=self._turned
        )
        self.field = many_field(page, t("secrets.pipelines"), names, begun or ())
        self._show()

    @property
    def value(self) -> tuple[str, ...] | None:
        """The allow-list; None: every pipeline that lists the key."""
        if self._way.value == _ALL:
            return None
        return tuple(self.field.value or ()) if self._way.value == _SOME else ()

    async def _turned(self) -> None:
        self._show()

    def _show(self) -> None:
        self.field.show(is_shown=self._way.value == _SOME)
