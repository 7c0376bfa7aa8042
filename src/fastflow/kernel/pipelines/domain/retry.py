"""The rules by which a failed run is tried again: which failures, how often, after which pauses. Pure."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

Strategy = Literal["none", "fixed", "exponential", "list"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)

RETRYABLE = ("exit", "timeout", "oom", "lost", "setup")
"""Reasons of failed runs that may be tried again; a cancelled run never is."""

MAX_DELAY_SECONDS = 30 * 86400.0


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """How a pipeline's failed runs are tried again. Durations in seconds.

    Attributes:
        max_retries: after the first attempt.
        policy: how the pauses follow one another.
        delay: every pause of `fixed`, the first one of `exponential`.
        factor: each pause of `exponential` is so many times the one before.
        max_delay: no pause is longer.
        delays: the pauses of `list`; the last one is used again when there are more retries.
        jitter: share by which a pause is made longer or shorter, from 0 to 1.
        on: the reasons that are tried again.
        exit_codes: of runs that ended by themselves, only these codes; None: any.
        never_exit_codes: and never these.
        dead_letters: whether a run that failed for good is kept as a dead letter; None: when there are retries.
    """

    max_retries: int = 0
    policy: Strategy = "exponential"
    delay: float = 10.0
    factor: float = 2.0
    max_delay: float = 600.0
    delays: tuple[float, ...] = ()
    jitter: float = 0.1
    on: tuple[str, ...] = RETRYABLE
    exit_codes: tuple[int, ...] | None = None
    never_exit_codes: tuple[int, ...] = ()
    dead_letters: bool | None = None

    @property
    def retries(self) -> int:
        """How often a run is tried again at most."""
        return 0 if self.policy == "none" else self.max_retries

    @property
    def keeps_dead_letters(self) -> bool:
        """Whether a run that failed for good becomes a dead letter."""
        return self.retries > 0 if self.dead_letters is None else self.dead_letters

    def why_not(self, reason: str, exit_code: int | None, retry: int) -> str | None:
        """Why the retry is not made, in words; None: it is made.

        Args:
            reason: the run's.
            exit_code: the run's.
            retry: 1 for the first one.

        >>> RetryPolicy(max_retries=1).why_not("exit", 1, 2)
        'its 1 retry is used up'
        """
        if self.retries == 0:
            return "no retries are set"
        if reason not in self.on:
            return f"the reason {reason} is not tried again"
        if reason == "exit":
            if exit_code in self.never_exit_codes:
                return f"the exit code {exit_code} is never tried again"
            if self.exit_codes is not None and exit_code not in self.exit_codes:
                return f"the exit code {exit_code} is not tried again"
        if retry > self.retries:
            return f"its {self.retries} {'retry is' if self.retries == 1 else 'retries are'} used up"
        return None

    def pause(self, retry: int, seed: str) -> float:
        """Seconds before the retry; the same for the same seed.

        Args:
            retry: 1 for the first one.
            seed: the run's id, from which the jitter follows.

        >>> RetryPolicy(max_retries=9, jitter=0).pause(3, "any")
        40.0
        """
        plain = self._plain_pause(retry)
        if self.jitter:
            digest = hashlib.sha256(f"{seed}:{retry}".encode()).digest()
            share = int.from_bytes(digest[:8], "big") / 2**64  # from 0 to 1
            plain *= 1 + self.jitter * (2 * share - 1)
        return min(plain, self.max_delay)

    def _plain_pause(self, retry: int) -> float:
        if self.policy == "list":
            return self.delays[min(retry, len(self.delays)) - 1]
        if self.policy == "fixed":
            return self.delay
        pause = self.delay
        for _ in range(retry - 1):  # a power of a large factor would overflow before it is cut
            if pause >= self.max_delay:
                break
            pause *= self.factor
        return min(pause, self.max_delay)

    def to_json(self) -> dict[str, Any]:
        """As the capsule keeps it."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "RetryPolicy":
        """As it was kept, also by another release: what is not known here is left out."""
        known: dict[str, Any] = {entry.name: data[entry.name] for entry in fields(cls) if entry.name in data}
        known.update({name: tuple(value) for name, value in known.items() if isinstance(value, list)})
        return cls(**known)
