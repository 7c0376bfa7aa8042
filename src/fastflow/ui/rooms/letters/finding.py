"""What the palette offers of dead letters: the open ones whose pipeline or cause fits."""

from collections.abc import Sequence

from fastflow.kernel.failures.domain.records import DeadLetter, LetterFilter, LetterState
from fastflow.kernel.failures.service import LetterService
from fastflow.kit.identity import Actor, Role
from fastflow.ui.manifest import Finder, Found, fits
from fastflow.ui.parts import short
from fastflow.ui.texts import Data, Texts

_SEARCHED = 200
"""The latest; older ones are found by their page."""


def find_letters(letters: LetterService) -> Finder:
    """The group over the open ones; none is listed before one is asked for."""

    def find(_t: Texts, actor: Actor, wanted: str) -> Sequence[Found]:
        if actor.highest_role < Role.VIEWER or not wanted.strip():
            return []
        found = letters.list(LetterFilter(state=LetterState.OPEN), actor=actor, limit=_SEARCHED).items
        return [_found(each) for each in found if fits(_words(each), wanted)]

    return Finder(title="letters.title", find=find)


def _words(letter: DeadLetter) -> str:
    return f"{letter.run.pipeline_name} {letter.run.id} {letter.run.reason_text or ''}"


def _found(letter: DeadLetter) -> Found:
    run = letter.run
    return Found(label=Data(run.pipeline_name), note=short(run.id), path=f"/dead-letters/{run.id}")
