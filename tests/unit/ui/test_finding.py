from collections.abc import Sequence
from pathlib import Path

from fastflow.kit.errors import Unavailable
from fastflow.kit.identity import Actor, Role
from fastflow.ui.finding import MOST, find
from fastflow.ui.manifest import Finder, Found, Manifest, NavEntry, fits
from fastflow.ui.texts import Catalogue, Data, Texts

ANNA = Actor(name="user:anna", role=Role.VIEWER)


def room(name: str, order: int, *labels: str, is_away: bool = False) -> Manifest:
    def found(_t: Texts, actor: Actor, wanted: str) -> Sequence[Found]:
        assert actor is ANNA
        if is_away:
            raise Unavailable("The database is away.")
        return [Found(label=Data(label), path=f"/{label}") for label in labels if fits(label, wanted)]

    nav = NavEntry(path=f"/{name}", label="room.title", icon="runs", order=order, key="x")
    finders = [Finder(title="room.title", find=found)]
    return Manifest(name=name, texts=Path(), load=list, nav=[nav], finders=finders)


def texts(folder: Path) -> Texts:
    (folder / "texts.toml").write_text('[room]\ntitle = { en = "Room", de = "Raum" }\n')
    return Catalogue([folder / "texts.toml"]).texts("de")


def test_rooms_when_asked_then_each_offers_what_fits_in_the_order_of_the_navigation(tmp_path: Path) -> None:
    rooms = [room("late", 20, "great export", "great wall"), room("early", 10, "export"), room("none", 5, "other")]
    groups = find(rooms, texts(tmp_path), ANNA, "EXP")
    assert [[item["label"] for item in group["items"]] for group in groups] == [["export"], ["great export"]]
    assert groups[0] == {"title": "Raum", "items": [{"label": "export", "note": "", "path": "/export", "call": None}]}


def test_room_when_it_fails_or_has_many_then_the_others_answer_and_the_best_are_shown(tmp_path: Path) -> None:
    rooms = [room("away", 1, "x", is_away=True), room("many", 2, *(f"x{number}" for number in range(20)))]
    (group,) = find(rooms, texts(tmp_path), ANNA, "x")
    assert [item["label"] for item in group["items"]] == [f"x{number}" for number in range(MOST)]
