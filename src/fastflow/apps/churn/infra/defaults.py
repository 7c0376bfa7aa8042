"""Defaults of experiments, from the file that UI_SETTINGS_PATH names."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastflow.apps.churn.domain.experiment import usual_words
from fastflow.apps.churn.errors import DefaultsUnreadable


class DefaultsFile:
    """See `Defaults`: read whenever it is asked, as people edit the file while the server runs.

    Args:
        path: of a JSON object with `model_type`, `feature_set` and `hyperparameters`; need not be there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self) -> Mapping[str, Any]:
        """See `Defaults`."""
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as error:
            raise DefaultsUnreadable(f"{self.path} is no JSON file that can be read: {error}.") from error
        problems = usual_words(content)
        if problems:
            told = "; ".join(f"{one.field}: {one}" for one in problems)
            raise DefaultsUnreadable(f"{self.path} holds defaults that no experiment can have: {told}")
        return dict(content)
