"""What every executor must do with a run's inputs: a part of the suite in `executor_contract.py`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from fastflow.kernel.runs.infra.inputs import DiskInputs

if TYPE_CHECKING:
    from fastflow.testing.executor_contract import ExecutorLab

_READS_INPUTS = """
import json, os, pathlib
folder = pathlib.Path(os.environ["FASTFLOW_INPUTS"])
told = {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}
told["written"] = False
for path in (folder / "new", folder / "experiment.json"):
    try:
        path.write_text("changed")
        told["written"] = True
    except OSError:
        pass
print(json.dumps(told))
"""


def kept_inputs(lab: "ExecutorLab", files: Mapping[str, str]) -> Path:
    """Inputs of a run, kept as the product keeps them."""
    store = DiskInputs(lab.folder / "inputs")

    def fill(folder: Path) -> None:
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)

    found = store.find(store.keep(fill))
    assert found is not None
    return found


class InputsContract:
    """Its statements."""

    async def test_inputs_when_handed_then_seen_whole_and_never_changed(self, lab: "ExecutorLab") -> None:
        inputs = kept_inputs(lab, {"experiment.json": "{}", "earlier/model.onnx": "weights"})
        outcome = await lab.run(_READS_INPUTS, inputs=inputs)
        told = json.loads(outcome.text("stdout").splitlines()[0])
        assert told == {"experiment.json": "{}", "earlier/model.onnx": "weights", "written": False}
        assert (inputs / "experiment.json").read_text() == "{}"

    async def test_inputs_when_none_are_handed_then_the_variable_is_not_set(self, lab: "ExecutorLab") -> None:
        outcome = await lab.run("import os\nprint('FASTFLOW_INPUTS' in os.environ)")
        assert outcome.text("stdout") == b"False\n"
