"""What an agent is told, and who may read it."""

import json
from pathlib import Path

import pytest
from cryptography.fernet import InvalidToken

from fastflow.kernel.executors.port import OWN_PYTHON, EnvironmentRecipe, Limits, RunKey, RunSpec
from fastflow.kernel.executors.ray.order import (
    Terms,
    UvBinary,
    build_order,
    decrypt,
    digest_of,
    encrypt,
    is_token,
    new_token,
    session_token,
)

TERMS = Terms(node_dir=None, chunk_bytes=100, artifacts_max_bytes=1000, environment_days=30.0)


def _spec(**changes: object) -> RunSpec:
    given: dict[str, object] = {
        "key": RunKey(run_id="r", token=2),
        "pipeline_name": "p",
        "code_dir": Path("/code"),
        "script": "main.py",
        "python": OWN_PYTHON,
        "environment": "e",
        "env": {"TOKEN": "s3cret"},
        "secrets": ("s3cret",),
        "params": {"N": 1},
        "log_path": Path("/logs/r.log"),
        "artifacts_dir": Path("/artifacts/r"),
        "limits": Limits(cpus=0.5),
    }
    return RunSpec(**{**given, **changes})  # type: ignore[arg-type]


def test_order_when_encrypted_then_only_its_token_opens_it() -> None:
    token = new_token()
    sealed = encrypt({"env": {"TOKEN": "s3cret"}}, token)
    assert b"s3cret" not in sealed
    assert decrypt(sealed, token) == {"env": {"TOKEN": "s3cret"}}
    with pytest.raises(InvalidToken):
        decrypt(sealed, new_token())


def test_token_when_made_then_its_digest_knows_it_and_no_other() -> None:
    token, other = new_token(), new_token()
    assert token != other and len(token) >= 43
    assert is_token(token, digest_of(token)) and not is_token(other, digest_of(token))
    assert token not in digest_of(token)


def test_session_when_asked_for_again_then_the_same_and_another_for_another_nonce() -> None:
    assert session_token("t", "n") == session_token("t", "n")
    assert len({session_token("t", "n"), session_token("t", "m"), session_token("u", "n"), "t"}) == 4


def test_order_when_built_then_it_is_json_and_names_no_path_of_the_server() -> None:
    order = json.loads(json.dumps(build_order(_spec(), TERMS, None)))
    assert (order["run_id"], order["attempt"], order["script"], order["python"]) == ("r", 2, "main.py", None)
    assert order["env"] == {"TOKEN": "s3cret"} and order["limits"]["cpus"] == 0.5 and order["chunk_bytes"] == 100
    assert "/logs" not in json.dumps(order) and "/artifacts" not in json.dumps(order)


def test_order_when_an_environment_is_to_be_made_then_recipe_and_uv_are_told_and_no_interpreter() -> None:
    recipe = EnvironmentRecipe(hash="h", lock="a==1", platform="linux", python="3.11", index_options=("--no-index",))
    uv = UvBinary(version="1.2", sha256="0" * 64, platform="linux")
    order = json.loads(json.dumps(build_order(_spec(recipe=recipe, python=Path("/x/python")), TERMS, uv)))
    assert order["python"] is None
    assert order["recipe"]["lock"] == "a==1" and order["recipe"]["uv"]["version"] == "1.2"
    assert order["recipe"]["index_options"] == ["--no-index"]


def test_spec_when_shown_then_neither_secrets_nor_index_addresses() -> None:
    recipe = EnvironmentRecipe(
        hash="h", lock="", platform="linux", python="3.11", index_options=("--index-url https://me:s3cret@host",)
    )
    assert "s3cret" not in repr(_spec(recipe=recipe))
