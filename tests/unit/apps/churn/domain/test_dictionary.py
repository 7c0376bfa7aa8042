import pytest

from fastflow.apps.churn.domain.dictionary import DictionaryError, SeenColumn, guess_dictionary, read_dictionary

KEYS = {"Kunde": "PRIMARY_KEY", "I_TIMEBASE": "TIMEBASE", "I_Alive": "TARGET"}
SHORT = {**KEYS, "i_use": "DYNAMIC_FEATURE"}


def test_dictionary_when_short_long_or_listed_then_it_is_the_same_and_complete() -> None:
    long = {"columns": {name: {"role": role} for name, role in SHORT.items()}}
    listed = {"columns": [{"name": name, "role": role} for name, role in SHORT.items()]}
    assert read_dictionary(SHORT) == read_dictionary(long) == read_dictionary(listed)
    record = read_dictionary(SHORT).record()
    assert record["columns"]["i_use"] == {"role": "DYNAMIC_FEATURE", "type": "number"}
    assert (record["gaps"], record["returns"], record["decimal"]) == ("refuse", "refuse", ".")
    assert read_dictionary(record).record() == record


def test_dictionary_when_columns_are_called_otherwise_then_the_panel_has_its_names() -> None:
    renamed = read_dictionary(
        {
            "customer": "PRIMARY_KEY",
            "month": "TIMEBASE",
            "alive": "TARGET",
            "i_use": {"role": "DYNAMIC_FEATURE", "source": "u"},
        }
    )
    assert [(one.name, one.source) for one in renamed.taken()] == [
        ("Kunde", "customer"),
        ("I_TIMEBASE", "month"),
        ("I_Alive", "alive"),
        ("i_use", "u"),
    ]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ([], "is no object"),
        ({**SHORT, "x": "FEATURE"}, "columns.x.role: is none of"),
        (KEYS, "none has the role DYNAMIC_FEATURE"),
        ({**SHORT, "k2": "PRIMARY_KEY"}, "2 of them have the role PRIMARY_KEY"),
        ({"Kunde": "PRIMARY_KEY", "i_use": "DYNAMIC_FEATURE"}, "0 of them have the role TIMEBASE"),
        ({**SHORT, "KUNDE": "STATIC_FEATURE"}, "has a column of this name already"),
        ({**SHORT, "source_line": "DYNAMIC_FEATURE"}, "has a column of this name already"),
        ({**SHORT, "n": {"role": "DYNAMIC_FEATURE", "type": "text"}}, "only numbers can change"),
        ({**SHORT, "n": {"role": "DYNAMIC_FEATURE", "source": "i_use"}}, "i_use is taken twice"),
        ({**SHORT, "n": {"role": "DYNAMIC_FEATURE", "tpye": "text"}}, "columns.n.tpye: is unknown"),
        ({"columns": SHORT, "gaps": "maybe"}, "gaps: is none of refuse allow"),
        ({"columns": SHORT, "gap": "allow"}, "gap: is unknown"),
        ({**SHORT, "a\nb": "DYNAMIC_FEATURE"}, "is no name"),
    ],
)
def test_dictionary_when_it_cannot_be_meant_then_the_place_is_told(wrong: object, told: str) -> None:
    with pytest.raises(DictionaryError, match=told):
        read_dictionary(wrong)


def test_guess_when_columns_are_named_as_usual_then_roles_follow_names_types_and_change() -> None:
    seen = [
        SeenColumn("customer_id", "integer", False),
        SeenColumn("month", "integer", True),
        SeenColumn("alive", "integer", True),
        SeenColumn("i_calls", "integer", False),
        SeenColumn("usage", "number", True),
        SeenColumn("age", "integer", False),
        SeenColumn("region", "text", True),
    ]
    guessed = guess_dictionary(seen).record()["columns"]
    assert guessed["Kunde"]["source"] == "customer_id"
    assert {name: said["role"] for name, said in guessed.items() if said["role"].endswith("FEATURE")} == {
        "i_calls": "DYNAMIC_FEATURE",
        "usage": "DYNAMIC_FEATURE",
        "age": "STATIC_FEATURE",
        "region": "STATIC_FEATURE",
    }


def test_guess_when_no_column_looks_like_a_key_then_the_role_is_named() -> None:
    with pytest.raises(DictionaryError, match="TARGET"):
        guess_dictionary([SeenColumn("kunde", "text"), SeenColumn("monat", "integer"), SeenColumn("x", "number")])
