"""Secret text prints as stars wherever it turns up."""

import json
import pickle
from dataclasses import dataclass

import pytest

from fastflow.kit.secret_text import SecretText


@dataclass
class _Record:
    password: SecretText


def test_secret_text_when_printed_in_any_way_shows_stars() -> None:
    secret = SecretText("hunter2")
    shown = [str(secret), repr(secret), f"{secret}", f"{secret!r:>20}", repr(_Record(secret)), f"{[secret]}"]
    assert not any("hunter2" in text for text in shown)
    assert secret.reveal() == "hunter2"


def test_secret_text_when_serialised_refuses() -> None:
    with pytest.raises(TypeError):
        json.dumps(SecretText("hunter2"))
    with pytest.raises(TypeError):
        pickle.dumps(SecretText("hunter2"))


def test_secret_text_when_compared_goes_by_its_text() -> None:
    assert SecretText("a") == SecretText("a")
    assert SecretText("a") != SecretText("b")
    assert SecretText("a") != "a"
    assert len({SecretText("a"), SecretText("a")}) == 1
