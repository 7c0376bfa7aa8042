from pathlib import Path

import pytest

from fastflow.ui.texts import Catalogue, choose_language


def catalogue(folder: Path, text: str) -> Catalogue:
    path = folder / "texts.toml"
    path.write_text(text)
    return Catalogue([path])


def test_texts_when_asked_then_the_phrase_is_in_the_language_with_its_values(tmp_path: Path) -> None:
    found = catalogue(tmp_path, '[runs]\nold = { en = "{n} old", de = "{n} alte" }\n')
    assert found.texts("de")("runs.old", n=3) == "3 alte"
    assert found.texts("en")("runs.old", n="<b>") == "<b> old"


def test_texts_when_counted_then_one_and_many_differ(tmp_path: Path) -> None:
    lines = ["[a]", 'x_one = { en = "{n} time", de = "einmal" }', 'x_many = { en = "{n} times", de = "{n} Mal" }']
    t = catalogue(tmp_path, "\n".join(lines)).texts("de")
    assert (t.count("a.x", 1), t.count("a.x", 2)) == ("einmal", "2 Mal")


@pytest.mark.parametrize("languages", ['en = "a"', 'en = "a", de = "b", fr = "c"'])
def test_catalogue_when_a_phrase_is_not_in_exactly_our_languages_then_it_is_refused(
    tmp_path: Path, languages: str
) -> None:
    with pytest.raises(ValueError, match=r"runs\.old"):
        catalogue(tmp_path, f"[runs]\nold = {{ {languages} }}\n")


@pytest.mark.parametrize(
    ("cookie", "accept", "chosen"),
    [
        ("de", "en", "de"),
        (None, "de-AT,de;q=0.9,en;q=0.8", "de"),
        (None, "en-GB,en;q=0.9,de;q=0.8", "en"),
        ("fr", "fr", "en"),
        (None, "", "en"),
        (None, "de;q=nonsense, en", "en"),
    ],
)
def test_language_when_chosen_then_the_cookie_wins_over_the_browser(
    cookie: str | None, accept: str, chosen: str
) -> None:
    assert choose_language(cookie, accept) == chosen
