"""The colours of the house where no page is: out of the style sheets of the pages, so that there is one source."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

STATIC = Path(__file__).parents[1] / "static"
_ROOT = re.compile(r"^:root \{(.*?)^\}", re.DOTALL | re.MULTILINE)
_NAMED = re.compile(r"(--[a-z0-9-]+):\s*([^;]+);")
_USED = re.compile(r"var\((--[a-z0-9-]+)\)")


@cache
def light_colours() -> Mapping[str, str]:
    """Name -> value of what the sheets set for all pages by day."""
    found: dict[str, str] = {}
    for sheet in ("app.css", "report.css"):
        root = _ROOT.search((STATIC / sheet).read_text("utf-8"))
        if root is not None:
            found.update(_NAMED.findall(root[1]))
    return found


def filled_in(text: str, others: Mapping[str, str]) -> str:
    """A sheet in which no name is left, for readers that know none.

    Args:
        text: the sheet.
        others: values that are put in the place of the house's.
    """
    values = {**light_colours(), **others}
    while _USED.search(text):
        text = _USED.sub(lambda found: values[found[1]], text)
    return text
