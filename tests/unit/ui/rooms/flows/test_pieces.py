from pathlib import Path

from fastflow.kernel.flows.domain.flow import Counts
from fastflow.ui import rooms, shell
from fastflow.ui.rooms.flows.pieces import meter, numbers, told
from fastflow.ui.texts import Catalogue

ROOMS, SHELL = Path(rooms.__file__).parent, Path(shell.__file__).parent
T = Catalogue([SHELL / "texts.toml", ROOMS / "flows" / "texts.toml"]).texts("en")
ID = "01a2018c-6d31-7913-b27d-ec6cd044a3ab"


def test_sentence_when_it_names_commands_and_ids_then_the_page_leaves_them_to_its_buttons() -> None:
    said = {
        f"The flow failed: load failed. `fastflow flows rerun {ID} --from-failed` runs the rest again. Warning: one.":
        "The flow failed: load failed. Warning: one.",
        f"1 of 2 steps has ended; ship waits for approval: `fastflow flows approve {ID} ship`.":
        "1 of 2 steps has ended; ship waits for approval.",
        f"1 failed; the first is c: run {ID} failed (exit); `fastflow flows elements {ID} clean --state FAILED` lists them":
        "1 failed; the first is c: run d044a3ab failed (exit)",
    }  # fmt: skip
    assert {text: str(told(T, text)) for text in said} == said


def test_meter_when_some_failed_then_it_says_how_many_and_shows_each_kind() -> None:
    shown = meter(T, Counts(waiting=1, running=1, success=6, failed=2))
    assert "8 of 10 ended, 2 failed" in shown
    assert 'class="good" style="width: 60.00%"' in shown
    assert 'class="bad" style="width: 20.00%"' in shown


def test_numbers_when_there_is_little_room_then_they_fit_into_a_box() -> None:
    counts = Counts(success=997, failed=3)
    german = Catalogue([SHELL / "texts.toml", ROOMS / "flows" / "texts.toml"]).texts("de")
    assert numbers(T, counts, is_short=True) == "1000 of 1000, 3 failed"
    assert numbers(german, counts, is_short=True) == "1000 von 1000, 3 Fehler"
    assert numbers(T, counts) == "1000 of 1000 ended, 3 failed"
