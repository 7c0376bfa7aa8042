"""What the pictures of flows and backfills show."""

from fastflow.testing.served import Served

_FILES = {
    "fetch_orders/main.py": 'print(\'::fastflow::{"output": {"regions": ["north", "south", "west"]}}\')\n',
    "clean_orders/main.py": 'import os, sys\nsys.exit(1 if os.environ["PARAM_ITEM"] == "west" else 0)\n',
    "clean_orders/pipeline.toml": '[after]\npipelines = ["fetch_orders"]\nforeach = "fetch_orders.regions"\n'
    '[params.properties.ITEM]\ntype = "string"\n',
    "check_orders/main.py": "print('fine')\n",
    "check_orders/pipeline.toml": 'after = ["fetch_orders"]\n',
    "publish_orders/main.py": "print('published')\n",
    "publish_orders/pipeline.toml": '[after]\npipelines = ["clean_orders", "check_orders"]\njoin = "always"\n'
    'approval = { note = "One region may be missing. Publish all the same?" }\n',
    "day_of_orders/main.py": "print('done')\n",
    "day_of_orders/pipeline.toml": '[params.properties.DAY]\ntype = "string"\n',
}


def fill(served: Served) -> None:
    """The pipelines."""
    for path, text in _FILES.items():
        (served.pipelines / path).parent.mkdir(exist_ok=True)
        (served.pipelines / path).write_text(text)


def act(served: Served) -> dict[str, str]:
    """Begin a flow and a backfill; the pages worth a picture."""
    flow = served.call("POST", "/flows", {"roots": ["fetch_orders"]})[1]["id"]
    days = {"pipeline_name": "day_of_orders", "since": "2026-01-01", "until": "2026-03-31", "params": {"DAY": "{date}"}}
    backfill = served.call("POST", "/backfills", days)[1]["backfill"]["id"]
    return {
        "flows": "/flows",
        "backfills": "/flows?kind=backfill",
        "flow": f"/flows/{flow}",
        "backfill": f"/flows/{backfill}",
        "backfill-new": "/flows/-/backfill?pipeline=day_of_orders",
        "flow-step": f"/flows/{flow}/steps/clean_orders",
    }
