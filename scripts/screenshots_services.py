"""What the pictures of alerts, daemons and webhooks show."""

from fastflow.testing.served import Served

NOWHERE = "json://127.0.0.1:9/"
"""Nobody listens there: what is sent waits and is tried again."""

FEED = """import time
for number in range(100_000):
    print(f"price {number}: {100 + number % 7}", flush=True)
    time.sleep(1)
"""


def fill(served: Served) -> None:
    """Pipelines that are kept running, one of them in vain."""
    for name, text, settings in (
        ("price_feed", FEED, "[daemon]\ninstances = 2\nport = 9400\n"),
        ("shaky_feed", "raise SystemExit(3)\n", "[daemon]\ndelay = 30\n"),
    ):
        folder = served.pipelines / name
        folder.mkdir()
        (folder / "main.py").write_text(text)
        (folder / "pipeline.toml").write_text(settings)


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
    hook = {"pipeline_name": "greet_city", "scheme": "github", "mapping": {"CITY": "/repository/name"}}
    webhook = served.call("POST", "/webhooks", hook)[1]["id"]
    return {
        "webhooks": "/pipelines/greet_city/webhooks",
        "webhook": f"/pipelines/greet_city/webhooks/{webhook}",
        "webhook-new": "/pipelines/greet_city/webhooks/-/new",
        "alerts": "/alerts",
        "alert": f"/alerts/{alert}",
        "alert-rules": "/alerts/rules",
        "alert-rule": f"/alerts/rules/{rule}",
        "alert-rule-new": "/alerts/rules/-/new",
        "channels": "/alerts/channels",
        "channel": "/alerts/channels/ops",
        "channel-new": "/alerts/channels/-/new",
        "outbox": "/alerts/outbox",
        "daemons": "/daemons",
        "daemon": "/daemons/price_feed",
        "daemon-crashing": "/daemons/shaky_feed",
    }
