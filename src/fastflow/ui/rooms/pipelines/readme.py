"""A pipeline's README as HTML. Whoever writes pipelines is not trusted with the reader's browser.

The Markdown is taken apart by a parser that knows no HTML: what looks like a tag is text. Links lead to `http`, `https` and
`mailto` alone and tell the other side nothing; images, which would tell it that somebody looks, are their words.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token

from fastflow.ui.markup import Html

MAX_BYTES = 100_000
_SCHEMES = frozenset({"http", "https", "mailto"})
_DEEPEST = 6
_BELOW = 2
"""The page's own headings are the first two."""


def render(text: str) -> Html:
    """The text as HTML that is safe to send."""
    parser = _parser()
    tokens = parser.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1]) + _BELOW, _DEEPEST)}"
        if token.children:
            token.children = list(_harmless(token.children))
    return Html(parser.renderer.render(tokens, parser.options, {}))


@cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False, "maxNesting": 20}).enable(["table", "strikethrough"])


def _harmless(children: Sequence[Token]) -> Iterator[Token]:
    kept: list[bool] = []
    for token in children:
        if token.type == "link_open":
            kept.append(_is_outside(str(token.attrs.get("href", ""))))
            if not kept[-1]:
                continue
            token.attrs = {"href": token.attrs["href"], "target": "_blank", "rel": "noopener noreferrer nofollow"}
        elif token.type == "link_close":
            if not kept.pop():
                continue
        elif token.type == "image":
            yield Token("text", "", 0, content=token.content)
            continue
        yield token


def _is_outside(address: str) -> bool:
    try:
        return urlsplit(address).scheme in _SCHEMES
    except ValueError:
        return False
