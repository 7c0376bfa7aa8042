"""A README is shown as what it means, and can do nothing in the reader's browser."""

import re

import pytest

from fastflow.ui.rooms.pipelines.readme import render


def test_readme_when_it_is_plain_markdown_then_its_meaning_below_the_pages_own_headings() -> None:
    made = render("# Title\n\nSome *words* and `code`.\n\n- one\n- two\n\n| a | b |\n|---|---|\n| 1 | 2 |\n")
    assert "<h3>Title</h3>" in made and "<em>words</em>" in made and "<li>one</li>" in made and "<td>1</td>" in made
    linked = render("[there](https://example.org/x)")
    assert '<a href="https://example.org/x" target="_blank" rel="noopener noreferrer nofollow">there</a>' in linked


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "[x](vbscript:x)",
        "<javascript:alert(1)>",
        "![x](https://example.org/seen.png)",
        "![x\" onerror=alert(1)](y)",
        '[x](https://example.org/" onclick="alert)',
        "[x](/auth/logout)",
        "[x]: javascript:alert(1)\n\n[x]",
        "```html\" onload=\"alert(1)\n<b>\n```",
        "&lt;script&gt;<svg/onload=alert(1)>",
        "<a href=javascript:alert(1)>x</a>",
    ],
)  # fmt: skip
def test_readme_when_it_means_harm_then_that_is_text(text: str) -> None:
    made = render(text)
    tags = re.findall(r"<[^>]*>", made)
    allowed = r"</?(p|pre|code|em|strong)>|<code class=\"language-[^\"<>]*\">|</a>"
    links = r"<a href=\"https://[^\"<>]*\" target=\"_blank\" rel=\"noopener noreferrer nofollow\">"
    assert all(re.fullmatch(f"{allowed}|{links}", each) for each in tags), made


def test_readme_when_it_is_nested_without_end_then_it_is_made_all_the_same() -> None:
    assert render(">" * 50_000 + "x")
    assert render("[" * 20_000)
    assert render("*a " * 20_000)
