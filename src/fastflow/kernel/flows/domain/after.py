"""What a pipeline's settings say about where it stands in flows: `after = ["extract"]`, or the table `[after]`."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Join = Literal["all", "any", "always"]
JOINS: tuple[Join, ...] = ("all", "any", "always")
OnTimeout = Literal["approve", "deny"]

MAX_ELEMENTS = 10_000
DEFAULT_LIMIT = 20
DEFAULT_ITEM = "ITEM"
DEFAULT_APPROVAL_SECONDS = 7 * 86_400.0


@dataclass(frozen=True, kw_only=True)
class ApprovalRule:
    """A person has to agree before the step starts.

    Attributes:
        timeout: seconds after which `on_timeout` decides.
        users: who may decide, by user name or by whole actor name; empty: every operator.
        note: what is asked, for people.
    """

    timeout: float = DEFAULT_APPROVAL_SECONDS
    on_timeout: OnTimeout = "deny"
    users: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class After:
    """Where a pipeline stands in flows.

    Attributes:
        pipelines: its upstreams.
        join: all: every upstream succeeded; any: one of them did; always: all have ended, however.
        when: condition over their outputs that must hold as well.
        params: parameters of its runs; texts may hold references.
        foreach: a run for each element of this list, or of the list that this reference stands for; None: one run.
        item: the parameter that takes the element.
        limit: runs of a fan-out that may be under way at once.
        max_failures: failed elements that do not fail the step: a number, or a share such as `10%`.
        approval: None: nobody is asked.
        doubt: why all this is not known for certain, so that the step cannot run; None: it is.
    """

    pipelines: tuple[str, ...]
    join: Join = "all"
    when: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    foreach: Sequence[Any] | str | None = None
    item: str = DEFAULT_ITEM
    limit: int = DEFAULT_LIMIT
    max_failures: int | str = 0
    approval: ApprovalRule | None = None
    doubt: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As a flow keeps it."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "After":
        """As it was kept."""
        rule = data.get("approval")
        known = {**data, "pipelines": tuple(data["pipelines"])}
        known["approval"] = None if rule is None else ApprovalRule(**{**rule, "users": tuple(rule["users"])})
        return cls(**known)


def allowed_failures(max_failures: int | str, total: int) -> int:
    """How many of `total` elements may fail.

    >>> allowed_failures("10%", 25), allowed_failures(3, 25), allowed_failures(0, 0)
    (2, 3, 0)
    """
    if isinstance(max_failures, str):
        return int(total * float(max_failures.rstrip("% ")) / 100)
    return max_failures
