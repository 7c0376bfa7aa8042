"""Dead letters: look at them, replay them, put them aside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from fastflow.kernel.failures.domain.errors import LetterNotFound, LetterSettled
from fastflow.kernel.failures.domain.records import DeadLetter, LetterFilter, LetterState
from fastflow.kernel.failures.ports import LetterStore, Runs
from fastflow.kernel.runs.domain.run import Run
from fastflow.kit.clock import Clock
from fastflow.kit.errors import FastFlowError
from fastflow.kit.identity import Actor, Role
from fastflow.kit.ids import parse_id
from fastflow.kit.pages import DEFAULT_PAGE_SIZE, Page, decode_cursor, encode_cursor

MAX_REPLAYS = 1000


@dataclass(frozen=True, kw_only=True)
class Replay:
    """What became of one dead letter.

    Attributes:
        run: the new run; None: it was refused, or only tried.
        problem: why it was refused.
    """

    letter: DeadLetter
    run: Run | None = None
    problem: FastFlowError | None = None


class LetterService:
    """Dead letters as their users see them.

    Args:
        store: the dead letters.
        runs: the runs below.
        clock: the time of changes.
    """

    def __init__(self, *, store: LetterStore, runs: Runs, clock: Clock) -> None:
        self._store = store
        self._runs = runs
        self._clock = clock

    def get(self, run_id: str, *, actor: Actor, role: Role = Role.VIEWER) -> DeadLetter:
        """The dead letter, when the actor has the role on its pipeline.

        Raises:
            InvalidInput: not an id.
            LetterNotFound: the run is none.
            Forbidden: role, or its pipeline is outside the actor's scope.
        """
        actor.require_somewhere(role)
        run_id = parse_id(run_id, "run_id")
        letter = self._store.find(run_id)
        if letter is None:
            raise LetterNotFound(run_id)
        actor.require_pipeline(letter.run.pipeline_name, role)
        return letter

    def list(
        self, wanted: LetterFilter, *, actor: Actor, cursor: str | None = None, limit: int = DEFAULT_PAGE_SIZE
    ) -> Page[DeadLetter]:
        """One page of dead letters, newest first; those outside the actor's scope are left out.

        Raises:
            InvalidInput: the cursor was not given out by this list.
            Forbidden: the filter names a pipeline outside the actor's scope.
        """
        before = parse_id(str(decode_cursor(cursor, (str,))[0]), "cursor") if cursor else None
        found = self._store.load_page(_scoped(wanted, actor), before_id=before, limit=limit + 1)
        items = found[:limit]
        return Page(items=items, next_cursor=encode_cursor(items[-1].run.id) if len(found) > limit else None)

    def replay(
        self,
        run_id: str,
        *,
        actor: Actor,
        params: Mapping[str, Any] | None = None,
        exact: bool = False,
        delay: float = 0.0,
    ) -> Run:
        """Submit the dead letter's run again; a second time gives the same new run.

        Args:
            run_id: the dead letter.
            actor: needs the role operator.
            params: put in place of those of the same names.
            exact: the same code, environment and limits as then; False: as they are now.
            delay: seconds before it enters the queue.

        Raises:
            LetterSettled: it was dismissed, or replayed with other parameters.
            CapsuleIncomplete, InvalidInput, NotFound, Forbidden: as `RunService.rerun` and `get`.
        """
        letter = self.get(run_id, actor=actor, role=Role.OPERATOR)
        if letter.state is LetterState.DISMISSED:
            raise LetterSettled(f"The dead letter {letter.run.id} was dismissed by {letter.settled_by}.")
        if letter.replayed_by is not None:
            return _require_same(letter, self._runs.get(letter.replayed_by, actor=actor), params or {})
        return self._replay(letter, actor, params, exact, delay)

    def replay_many(
        self,
        wanted: LetterFilter,
        *,
        actor: Actor,
        params: Mapping[str, Any] | None = None,
        exact: bool = False,
        limit: int = 100,
        every: float = 0.0,
        dry_run: bool = False,
    ) -> Sequence[Replay]:
        """Replay open dead letters, oldest first.

        Args:
            wanted: which.
            actor: needs the role operator.
            params: as in `replay`.
            exact: as in `replay`.
            limit: at most so many.
            every: seconds between two of them: each waits for its turn, and can be hurried or cancelled until then.
            dry_run: only tell which.

        Returns:
            What became of each; one that was refused does not keep the others.
        """
        actor.require_somewhere(Role.OPERATOR)
        scoped = _scoped(replace(wanted, state=LetterState.OPEN), actor, Role.OPERATOR)
        letters = self._store.load_page(scoped, before_id=None, limit=limit)[::-1]
        if dry_run:
            return [Replay(letter=letter) for letter in letters]
        done: list[Replay] = []
        for letter in letters:
            started = sum(each.run is not None for each in done)
            try:
                run = self._replay(letter, actor, params, exact, every * started)
                done.append(Replay(letter=letter, run=run))
            except FastFlowError as error:
                done.append(Replay(letter=letter, problem=error))
        return done

    def dismiss(self, run_id: str, *, actor: Actor, note: str | None = None) -> DeadLetter:
        """Put the dead letter aside; doing it again changes nothing.

        Raises:
            LetterSettled: it was replayed.
            LetterNotFound, InvalidInput, Forbidden: as `get`.
        """
        letter = self.get(run_id, actor=actor, role=Role.OPERATOR)
        after, _ = self._store.settle(
            letter.run.id, LetterState.DISMISSED, replayed_by=None, note=note, at=self._clock.now(), actor=actor
        )
        if after is None:
            raise LetterNotFound(run_id)
        if after.state is not LetterState.DISMISSED:
            raise LetterSettled(f"The dead letter {run_id} was replayed as run {after.replayed_by}.")
        return after

    def _replay(
        self, letter: DeadLetter, actor: Actor, params: Mapping[str, Any] | None, exact: bool, delay: float
    ) -> Run:
        now = self._clock.now()
        run = self._runs.rerun(
            letter.run.id,
            actor=actor,
            exact=exact,
            params={**letter.run.params, **params} if params else None,
            trigger="replay",
            idempotency_key=f"dead-letter:{letter.run.id}",  # of two clicks at once, the second one finds the first one's run
            not_before=now + timedelta(seconds=delay) if delay > 0 else None,
        )
        after, is_ours = self._store.settle(
            letter.run.id, LetterState.REPLAYED, replayed_by=run.id, note=None, at=now, actor=actor
        )
        if not is_ours and after is not None and after.state is LetterState.DISMISSED:
            raise LetterSettled(
                f"The dead letter {letter.run.id} was dismissed at the same moment; run {run.id} was submitted all the same.",
                extra={"run_id": run.id},
            )
        return run


def _require_same(letter: DeadLetter, earlier: Run, params: Mapping[str, Any]) -> Run:
    """The run that replayed the letter earlier, if it has these parameters."""
    others = sorted(
        name for name, value in params.items() if name not in earlier.params or earlier.params[name] != value
    )
    if others:
        raise LetterSettled(
            f"The dead letter {letter.run.id} was replayed as run {earlier.id} before, with other parameters.",
            fields={f"params.{name}": f"is {earlier.params.get(name)!r} there" for name in others},
            extra={"run_id": earlier.id},
        )
    return earlier


def _scoped(wanted: LetterFilter, actor: Actor, role: Role = Role.VIEWER) -> LetterFilter:
    if wanted.pipeline_name is not None:
        actor.require_pipeline(wanted.pipeline_name, role)
        return wanted
    return replace(wanted, pipelines=actor.reach(role))
