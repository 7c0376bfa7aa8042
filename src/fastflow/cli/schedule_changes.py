"""What `fastflow schedules set` changes: options that were given, as fields of the API."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastflow.cli.client import Api, part
from fastflow.cli.params import parse_params
from fastflow.cli.schedule_refs import UNLIMITED, read_instant, read_seconds

NONE = "none"
_AS_THEY_ARE = ("name", "timezone", "overlap", "missed", "priority")


def read_changes(given: Mapping[str, Any], timezone: str) -> dict[str, Any]:
    """The fields that options change; of an option that was left away there is none.

    Args:
        given: option -> what was typed; None: left away.
        timezone: the schedule's; instants without an offset are of it, or of the one that is set as well.

    Raises:
        WrongUsage: an instant is none.
        InvalidInput: a length of time is none.

    >>> read_changes({"end": "none", "jitter": "1m", "name": None, "overlap": "skip"}, "UTC")
    {'overlap': 'skip', 'end_at': None, 'jitter': 60.0}
    """
    typed = {option: value for option, value in given.items() if value is not None}
    changes = {name: typed[name] for name in _AS_THEY_ARE if name in typed}
    zone = typed.get("timezone", timezone)
    for option in ("start", "end"):
        if option in typed:
            text = typed[option]
            changes[f"{option}_at"] = None if text == NONE else read_instant(text, f"--{option}", zone)
    if "jitter" in typed:
        changes["jitter"] = read_seconds(typed["jitter"], "--jitter")
    if "catch_up_window" in typed:
        text = typed["catch_up_window"]
        changes["catch_up_window"] = None if text == UNLIMITED else read_seconds(text, "--catch-up-window")
    return changes


def params_with(
    api: Api, schedule: Mapping[str, Any], params: Sequence[str], json_params: str | None
) -> Mapping[str, Any]:
    """The schedule's parameters with those that were given; with `json_params` these alone."""
    schema = api.get(f"/pipelines/{part(schedule['pipeline_name'])}")["params_schema"] if params else None
    given = parse_params(params, json_params, schema)
    return given if json_params is not None else {**schedule["params"], **given}
