import pytest

from fastflow.kit.errors import Conflict
from fastflow.ui.hints import problem_as_told
from fastflow.ui.sentences import END, ENGLISH, Sentences, pieces, sentences_in
from fastflow.ui.texts import Catalogue

PAIRS = {
    "There is no pipeline {name}.": "Die Pipeline {name} gibt es nicht.",
    "Did you mean {near}?": "Meinten Sie {near}?",
    "It is not valid: {problems:told}": "Es ist ungültig: {problems}",
    "It failed ({why:any}); {next:told}.": "Es ist gescheitert ({why}); {next}.",
    "{value} is more than {limit}": "{value} ist mehr als {limit}",
    "{value} is more than {limit}, the most allowed": "{value} ist mehr als {limit}, das Höchste",
    "is required": "ist nötig",
    "Try again.": "Noch einmal.",
}
KNOWN = Sentences(PAIRS, {})


@pytest.mark.parametrize(
    ("english", "german"),
    [
        ("There is no pipeline 'a'.", "Die Pipeline 'a' gibt es nicht."),
        ("There is no pipeline 'a'. Did you mean 'b'?", "Die Pipeline 'a' gibt es nicht. Meinten Sie 'b'?"),
        (
            "It is not valid: A: is required; b.c: 9 is more than 5.",
            "Es ist ungültig: A: ist nötig; b.c: 9 ist mehr als 5.",
        ),
        ("9 is more than 5, the most allowed", "9 ist mehr als 5, das Höchste"),
        ("It failed (a; b. C); is required.", "Es ist gescheitert (a; b. C); ist nötig."),
        ("Try again.", "Noch einmal."),
        ("", ""),
        ("Unheard of.", f"{ENGLISH}Unheard of.{END}"),
        ("Try again. Unheard of. Nor this.", f"Noch einmal. {ENGLISH}Unheard of. Nor this.{END}"),
        ("It is not valid: unheard of", f"Es ist ungültig: {ENGLISH}unheard of{END}"),
        (f"Un{END}heard{ENGLISH} of.", f"{ENGLISH}Unheard of.{END}"),
    ],
)
def test_sentence_when_translated_then_what_is_not_known_stays_and_is_marked(english: str, german: str) -> None:
    assert KNOWN.translate(english) == german


def test_pieces_when_a_part_stayed_english_then_it_is_told_apart() -> None:
    assert pieces(f"Ja: {ENGLISH}no{END}.") == [("Ja: ", False), ("no", True), (".", False)]


def test_problem_when_its_sentence_is_not_known_then_what_its_code_means_is_said_before_it() -> None:
    german = Catalogue([]).texts("de")
    known = sentences_in("de")
    assert known is not None
    told = problem_as_told(german, Conflict("Nobody <knows> this.", code="run_ended"))
    assert told == f'{known.codes["run_ended"]}: <span lang="en">Nobody &lt;knows&gt; this.</span>'
    assert (
        problem_as_told(german, Conflict("There is no user 'a'.", code="run_ended"))
        == "Den Benutzer 'a' gibt es nicht."
    )
    assert problem_as_told(Catalogue([]).texts("en"), Conflict("Nobody <knows> this.")) == "Nobody <knows> this."


@pytest.mark.parametrize(
    ("english", "german"),
    [
        (
            "the script ended with exit code 3, after 0 s; 2 restarts within an hour",
            "das Skript endete mit dem Exitcode 3, nach 0 s; 2 Neustarts binnen einer Stunde",
        ),
        (
            "the script ended with exit code 1: KeyError: a; b, after 12 s; 1 restart within an hour",
            "das Skript endete mit dem Exitcode 1: KeyError: a; b, nach 12 s; 1 Neustart binnen einer Stunde",
        ),
        (
            "the script was ended by SIGKILL, after 9 s; 1 restart within an hour",
            "das Skript wurde durch SIGKILL beendet, nach 9 s; 1 Neustart binnen einer Stunde",
        ),
    ],
)
def test_daemon_when_it_ended_then_why_and_how_often_are_german(english: str, german: str) -> None:
    known = sentences_in("de")
    assert known is not None
    assert known.translate(english) == german
