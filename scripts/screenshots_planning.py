"""What the pictures of schedules, secrets, repositories and dead letters show."""

from pathlib import Path

from fastflow.testing.git_upstream import Upstream
from fastflow.testing.served import Served

PICKY = """import os
city = os.environ["PARAM_CITY"]
if city not in ("Ulm", "Bern"):
    raise LookupError("no such city")
"""


def fill(served: Served) -> None:
    """Pipelines whose failures are kept, and that read secrets."""
    folder = served.pipelines / "picky"
    folder.mkdir()
    (folder / "main.py").write_text(PICKY)
    (folder / "pipeline.toml").write_text('secrets = ["GEO_TOKEN"]\n[retry]\nmax_retries = 0\ndead_letters = true\n')


def act(served: Served, folder: Path) -> dict[str, str]:
    """Let something happen; the pages worth a picture."""
    served.call("POST", "/secrets", {"key": "GEO_TOKEN", "value": "not for anybody"})
    served.call("PUT", "/secrets/GEO_TOKEN", {"value": "not for anybody else"})
    served.call("POST", "/secrets", {"key": "REGION", "value": "eu-central-1", "is_parameter": True})
    served.call("POST", "/secrets", {"key": "HOOK", "value": "the server's own", "pipelines": []})
    jobs = {
        name: served.call("POST", "/scheduler/jobs", {"pipeline_name": pipeline, "name": name, **timing})[1]["id"]
        for pipeline, name, timing in (
            ("stdlib_report", "often", {"trigger": "interval", "expression": "20s"}),
            ("stdlib_report", "once", {"trigger": "once", "expression": "2030-11-21T04:35", "timezone": "Asia/Tokyo"}),
            ("picky", "mornings", {"trigger": "cron", "expression": "30 7 * * MON-FRI", "timezone": "America/New_York",
                                   "params": {"CITY": "Ulm"}}),
            ("picky", "odd", {"trigger": "cron", "expression": "*/7 3-9 * 2 *", "enabled": False}),
        )
    }  # fmt: skip
    letters = [
        served.call("POST", "/pipelines/picky/run?wait=45", {"params": {"CITY": city}})[1]["id"]
        for city in ("Atlantis", "El Dorado", "Avalon")
    ]
    syncs = sync(served, folder)
    return {
        "schedules": "/schedules",
        "schedule": f"/schedules/{jobs['often']}",
        "schedule-declared-zone": f"/schedules/{jobs['mornings']}",
        "schedule-new": "/schedules/new?pipeline=picky",
        "schedule-edit": f"/schedules/{jobs['mornings']}/edit",
        "secrets": "/secrets",
        "secret": "/secrets/GEO_TOKEN",
        "secret-new": "/secrets/-/new",
        "sync": "/sync",
        "sync-planned": f"/sync/{syncs[1]}",
        "sync-refused": f"/sync/{syncs[2]}",
        "dead-letters": "/dead-letters",
        "dead-letter": f"/dead-letters/{letters[0]}",
    }


def sync(served: Served, folder: Path) -> list[str]:
    """A repository that was synced, planned and refused; the syncs' ids."""
    upstream = Upstream(folder / "upstream")
    upstream.push(
        {
            "invoices/main.py": "print('one')\n",
            "invoices/pipeline.toml": '[[schedules]]\nname = "nightly"\ncron = "0 2 * * *"\n',
            "leaving/main.py": "print('bye')\n",
        },
        "Invoices, and what leaves",
    )
    served.call("POST", "/sync/repositories", {"name": "flows", "url": upstream.url})
    ids = [ask(served)]
    upstream.push(
        {
            "invoices/main.py": "print('two')\n",
            "invoices/pipeline.toml": 'timeout = "10m"\n[[schedules]]\nname = "nightly"\ncron = "30 3 * * *"\n',
            "invoices/requirements.txt": "six==1.16.0\n",
            "arriving/main.py": "print('hello')\n",
            "leaving": None,
        },
        "Invoices in ten minutes",
    )
    ids.append(ask(served, plan_only=True))
    upstream.push({"arriving/main.py": "print('hello'\n"}, "A slip")
    ids.append(ask(served))
    return ids


def ask(served: Served, **how: object) -> str:
    """One sync, to its end."""
    return str(served.call("POST", "/sync?wait=120", {"repository": "flows", **how})[1]["items"][0]["id"])
