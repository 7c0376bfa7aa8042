"""What the pictures of alerts and daemons show."""

from fastflow.testing.served import Served

NOWHERE = "json://127.0.0.1:9/"
"""Nobody listens there: what is sent waits and is tried again."""


def fill(served: Served) -> None:
    """Nothing yet: what fails elsewhere is told of."""


def act(served: Served) -> dict[str, str]:
    """Let something happen; the pages worth a picture."""
    hours = [{"start": "22:00", "end": "07:00", "timezone": "Europe/Berlin"}]
    served.call(
        "POST", "/channels", {"name": "ops", "urls": [NOWHERE], "quiet": hours, "description": "Whoever is on call"}
    )
    served.call("POST", "/alerts/rules", {"events": ["failure", "recovery"], "channels": ["ops"], "repeat_every": 600})
    deadline = {
        "pipeline_name": "hourly_report",
        "events": ["late", "slow", "deadline"],
        "by": "08:00",
        "channels": ["ops"],
    }
    rule = served.call("POST", "/alerts/rules", deadline)[1]["id"]
    served.call("POST", "/pipelines/always_fails/run?wait=60")
    alert = served.call("GET", "/alerts")[1]["items"][0]["id"]
    return {
        "alerts": "/alerts",
        "alert": f"/alerts/{alert}",
        "alert-rules": "/alerts/rules",
        "alert-rule": f"/alerts/rules/{rule}",
        "alert-rule-new": "/alerts/rules/-/new",
        "channels": "/alerts/channels",
        "channel": "/alerts/channels/ops",
        "channel-new": "/alerts/channels/-/new",
        "outbox": "/alerts/outbox",
    }
