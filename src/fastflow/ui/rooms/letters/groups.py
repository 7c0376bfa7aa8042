"""Runs that failed for good, grouped by their cause."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlencode

from nicegui import ui

from fastflow.kernel.failures.domain.errors import GroupNotFound
from fastflow.kernel.failures.domain.records import DeadLetter, FailureGroup, LetterFilter, LetterState
from fastflow.kernel.failures.service import FailureService, LetterService
from fastflow.kit.identity import Actor, Role
from fastflow.kit.pages import Page as PageOf
from fastflow.ui.markup import Html, div, link, span, tag
from fastflow.ui.parts import choice, data_text, empty, heading, pill, short, when
from fastflow.ui.rooms.letters.many import ManyLetters
from fastflow.ui.rooms.letters.replaying import ask_how, replay_group
from fastflow.ui.rooms.letters.schemas import Schemas
from fastflow.ui.shell.controls import button
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.shell.tick_bar import Deed, TickBar
from fastflow.ui.texts import Data, Phrase, Texts

_PAGE = 200
_SHOWN_PARAMS = 3
_LONGEST_PARAM = 40
_LOOK_SECONDS = 10.0
_KINDS = {LetterState.OPEN: "bad", LetterState.REPLAYED: "good", LetterState.DISMISSED: "still"}


@dataclass(frozen=True, kw_only=True)
class _Group:
    """Letters of one cause; those that were not sorted have none."""

    name: str | None
    known: FailureGroup | None
    letters: Sequence[DeadLetter]


@dataclass(frozen=True, kw_only=True)
class _Shown:
    groups: Sequence[_Group]
    next_cursor: str | None


class LettersPage:
    """Builds the page.

    Args:
        letters: where they come from, and what can be done with them.
        failures: what they have in common.
        schemas: what their pipelines take.
    """

    def __init__(self, letters: LetterService, failures: FailureService, schemas: Schemas) -> None:
        self._letters = letters
        self._failures = failures
        self._schemas = schemas

    async def build(self, page: Page) -> None:
        """Put it on the page."""
        shown = await page.ask(self._look, page, page.actor)
        Fragment(heading(page.t("letters.title"), under=page.t("letters.about")))
        Fragment(_filters(page))
        many = ManyLetters(page, self._letters, self._schemas)
        if wanted_of(page).state is LetterState.OPEN:
            deeds = [
                Deed(name="replay", label=page.t("letters.replay")),
                Deed(name="dismiss", label=page.t("letters.dismiss")),
            ]
            TickBar(page, box="letter", deeds=deeds, none=page.t("letters.tick"), is_all_meant=False, do=many.do)
        groups = _Groups(page, self._letters, self._schemas, shown)

        async def refresh() -> None:
            groups.show(await page.ask(self._look, page, await page.who()))

        many.look = refresh
        page.live(refresh, every=_LOOK_SECONDS)

    def _look(self, page: Page, actor: Actor) -> _Shown:
        found = self._find(page, actor)
        by_group: dict[str | None, list[DeadLetter]] = {}
        for letter in found.items:
            by_group.setdefault(letter.run.failure_group, []).append(letter)
        groups = [
            _Group(name=name, known=self._known(name, actor), letters=letters) for name, letters in by_group.items()
        ]
        return _Shown(groups=sorted(groups, key=lambda each: -len(each.letters)), next_cursor=found.next_cursor)

    def _find(self, page: Page, actor: Actor) -> PageOf[DeadLetter]:
        return self._letters.list(wanted_of(page), actor=actor, cursor=page.query.get("cursor"), limit=_PAGE)

    def _known(self, name: str | None, actor: Actor) -> FailureGroup | None:
        try:
            return None if name is None else self._failures.get(name, actor=actor)
        except GroupNotFound:  # its runs are gone, the letters are not yet
            return None


def wanted_of(page: Page) -> LetterFilter:
    """What the address asks for."""
    state = page.query.get("state", "")
    return LetterFilter(
        pipeline_name=page.query.get("pipeline") or None,
        failure_group=page.query.get("group") or None,
        state=LetterState(state) if state in list(LetterState) else LetterState.OPEN,
    )


class _Groups:
    """A card for each cause, with what can be done about all of its letters."""

    def __init__(self, page: Page, letters: LetterService, schemas: Schemas, shown: _Shown) -> None:
        self._page = page
        self._letters = letters
        self._schemas = schemas
        self._place = ui.element("div")
        self._cards: dict[str | None, Fragment] = {}
        self._pager = Fragment(Html(""))
        self._put(shown)

    def show(self, shown: _Shown) -> None:
        """Bring them up to date."""
        if [each.name for each in shown.groups] != list(self._cards):
            self._put(shown)
            return
        for each in shown.groups:
            self._cards[each.name].show(_group(self._page.t, each))

    def _put(self, shown: _Shown) -> None:
        t = self._page.t
        self._place.clear()
        self._cards = {}
        with self._place:
            if not shown.groups:
                is_open = wanted_of(self._page).state is LetterState.OPEN
                Fragment(div(empty("check", t("letters.none" if is_open else "letters.none_fit")), cls="card"))
            for each in shown.groups:
                self._put_one(each)
        query = self._page.query
        kept = {name: query[name] for name in ("pipeline", "state", "group") if query.get(name)}
        path = f"{BASE}/dead-letters?{urlencode({**kept, 'cursor': shown.next_cursor or ''})}"
        older = div(span(), link(path, t("letters.older"), cls="button"), cls="pager")
        self._pager.show(older if shown.next_cursor else Html(""))

    def _put_one(self, group: _Group) -> None:
        page, t = self._page, self._page.t
        with ui.element("section").classes("card letters"):
            self._cards[group.name] = Fragment(_group(t, group))
            is_open = wanted_of(page).state is LetterState.OPEN
            if not is_open or group.name is None:
                return
            may = any(page.may(Role.OPERATOR, letter.run.pipeline_name) for letter in group.letters)

            async def replay() -> None:
                wanted = LetterFilter(pipeline_name=page.query.get("pipeline") or None, failure_group=group.name)
                count = t.count("letters.all_of_them", len(group.letters))
                names = {each.run.pipeline_name for each in group.letters}
                schema = await page.ask(self._schemas.of_all, names)
                do = partial(replay_group, self._letters, wanted)
                await ask_how(page, t("letters.replay_question"), count, schema, do)

            with ui.element("div").classes("actions"):
                button(page, t("letters.replay_all"), replay, drawing="again", may=may)


def _filters(page: Page) -> Html:
    t, given = page.t, page.query
    states = [(each.value, t(f"letters.state_{each}")) for each in (LetterState.REPLAYED, LetterState.DISMISSED)]
    is_filtered = any(given.get(name) for name in ("pipeline", "state", "group"))
    return tag(
        "form",
        tag(
            "input", type="search", name="pipeline", value=given.get("pipeline", ""), placeholder=t("letters.pipeline"),
            aria_label=t("letters.pipeline"),
        ),
        choice("state", states, given.get("state"), t("letters.state_open"), t("letters.state")),
        link(f"{BASE}/dead-letters", t("letters.clear"), cls="button") if is_filtered else None,
        cls="filters", action=f"{BASE}/dead-letters",
    )  # fmt: skip


def _group(t: Texts, group: _Group) -> Html:
    known = group.known
    title: Phrase | Data = Data(known.failure.title) if known else t("letters.ungrouped")
    told = (
        div(
            t("letters.seen"), Data(" "), when(known.first_seen_at), Data(" – "), when(known.last_seen_at),
            cls="muted small",
        )
        if known
        else None
    )  # fmt: skip
    head = div(
        div(tag("h2", title), told, cls="grow"), span(t.count("letters.letters", len(group.letters)), cls="muted"),
        cls="card-head",
    )  # fmt: skip
    return div(head, div([_letter(t, letter) for letter in group.letters], cls="rows"))


def _letter(t: Texts, letter: DeadLetter) -> Html:
    run = letter.run
    params = ", ".join(
        f"{name}={data_text(value)[:_LONGEST_PARAM]}" for name, value in list(run.params.items())[:_SHOWN_PARAMS]
    )
    row = link(
        f"{BASE}/dead-letters/{run.id}",
        span(tag("strong", Data(run.pipeline_name)), tag("small", Data(params)) if params else None, cls="main"),
        state(t, letter) if letter.state is not LetterState.OPEN else None,
        tag("code", short(run.id), cls="side wide-only"),
        span(when(letter.created_at), cls="side"),
        cls="row grow",
    )
    if letter.state is not LetterState.OPEN:
        return row
    label = t("letters.pick", id=short(run.id))
    box = tag("input", type="checkbox", name="letter", value=run.id, aria_label=label)
    return div(tag("label", box, cls="pick"), row, cls="picked-row")


def state(t: Texts, letter: DeadLetter) -> Html:
    """Where a dead letter stands."""
    return pill(_KINDS[letter.state], t(f"letters.state_{letter.state}"))
