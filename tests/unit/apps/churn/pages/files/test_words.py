"""What is wrong with a file is told in the reader's language."""

from pathlib import Path

import pytest

import fastflow.apps.churn.pages.files as package
from fastflow.apps.churn.errors import FileNotIngested
from fastflow.apps.churn.pages.files.words import number_in, roles_in_words
from fastflow.apps.churn.service.files import checked_dictionary
from fastflow.kit.errors import InvalidInput
from fastflow.ui.sentences import ENGLISH, sentences_in
from fastflow.ui.texts import Catalogue

KEYS = {"kdnr": "PRIMARY_KEY", "monat": "TIMEBASE", "aktiv": "TARGET"}


@pytest.mark.parametrize(
    "told",
    [
        "the cell is empty; each row needs its customer",
        '"202413" is no month; write it as YYYYMM, such as 202401',
        "the empty cell is neither 1 (alive) nor 0 (dead)",
        'customer "a" has no row between 202401 (line 2) and 202403; add them, or say "gaps": "allow" in the dictionary',
        'customer "a" has a row for 202401 on line 2 already',
        'customer "a" is alive again in 202402, but dead in 202401 (line 2); say "returns": "allow" in the dictionary if customers can come back',
        '"3,5" is no number (decimals are written with "," here: say so by decimal in the dictionary)',
        "the line has fewer cells than the header has names: 3 instead of 4",
        "the byte 0xE4 at position 17 is not UTF-8; write the file as UTF-8 (after 'm')",
        "the byte 0xE4 at position 17 is not UTF-8; the file is probably Windows-1252 or Latin-1 (`iconv -f WINDOWS-1252 -t UTF-8` turns it into UTF-8); write the file as UTF-8 (after 'm')",
        "the column has more than 50 different words, and each would be a feature; give it the role IGNORED, or the type number if these are numbers",
        'region is called static but changes for 3 customers, such as "b" ("north", "south"); the earliest value counts.',
        "Left out, as they hold more than 50 different words: street, e.mail. A dictionary can say otherwise.",
        "Numbers are read with a decimal comma, as the file has it.",
        '"soon" is no date; write it as 2024-01-31, 20240131 or 31.01.2024',
        "The newest transaction is of 2024-03-02: if 202403 was not over then, hand the file in again with through=202402, or its customers look quieter than they are.",
        "i_use is unknown in 7 of 9 rows (empty, NaN or infinite).",
    ],
)
def test_faults_when_told_in_german_then_none_stays_english(told: str) -> None:
    german = sentences_in("de")
    assert german is not None
    assert ENGLISH not in german.translate(told)


@pytest.mark.parametrize(
    "columns",
    [
        KEYS,
        {**KEYS, "monat": "IGNORED", "i_use": "DYNAMIC_FEATURE"},
        {**KEYS, "kdnr2": "PRIMARY_KEY", "i_use": "DYNAMIC_FEATURE"},
        {**KEYS, "kunde": {"role": "DYNAMIC_FEATURE"}},
        {**KEYS, "i_use": {"role": "DYNAMIC_FEATURE", "type": "text"}},
    ],
)
def test_dictionary_when_wrong_then_the_table_says_so_in_german(columns: dict[str, object]) -> None:
    german = sentences_in("de")
    assert german is not None
    with pytest.raises(InvalidInput) as refused:
        checked_dictionary(columns)
    assert ENGLISH not in german.translate(refused.value.fields["dictionary"])


def test_roles_when_told_on_an_english_page_then_they_are_called_as_the_page_calls_them() -> None:
    told = roles_in_words(
        Catalogue([Path(str(package.__file__)).parent / "texts.toml"]).texts("en"),
        "columns: 0 of them have the role TARGET; exactly one has to",
    )
    assert told == "columns: 0 of them have the role “Still alive (1 or 0)”; exactly one has to"


@pytest.mark.parametrize("given", ["x", "-1", "٣", "9999999999"])
def test_number_when_the_path_has_none_then_there_is_no_such_file(given: str) -> None:
    assert number_in({"file_id": "12"}) == 12
    with pytest.raises(FileNotIngested):
        number_in({"file_id": given})
