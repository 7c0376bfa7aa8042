"""Greets a city. Parameters: CITY (required), TIMES, LANGUAGE, LOUD; see pipeline.toml.

They arrive twice: as environment variables PARAM_<NAME>, which are text, and typed in the JSON file that
FASTFLOW_PARAMS names. By hand: `PARAM_CITY=Lisbon python main.py`.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

GREETINGS = {"de": "Guten Tag", "en": "Good day", "fr": "Bonjour", "it": "Buongiorno"}


def parameters() -> dict[str, Any]:
    """The typed parameters; started by hand, what the environment variables say."""
    file = os.environ.get("FASTFLOW_PARAMS")
    if file:
        given: dict[str, Any] = json.loads(Path(file).read_text(encoding="utf-8"))
        return given
    if "PARAM_CITY" not in os.environ:
        sys.exit("Set PARAM_CITY to the city to greet.")
    return {
        "CITY": os.environ["PARAM_CITY"],
        "TIMES": int(os.environ.get("PARAM_TIMES", "1")),
        "LANGUAGE": os.environ.get("PARAM_LANGUAGE", "en"),
        "LOUD": os.environ.get("PARAM_LOUD", "false") == "true",
    }


given = parameters()
greeting = f"{GREETINGS[given.get('LANGUAGE', 'en')]}, {given['CITY']}!"
if given.get("LOUD", False):
    greeting = greeting.upper()
for _ in range(given.get("TIMES", 1)):
    print(greeting)
print("::fastflow::" + json.dumps({"output": {"greeting": greeting}}))
