"""Which part may import which, and what the sidecar may use: checked on the source."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from importlinter.application.use_cases import SUCCESS
from importlinter.cli import lint_imports

from fastflow.kernel.executors.ray.package import BORROWED

SOURCE = Path(__file__).parents[2] / "src" / "fastflow"
SIDECAR = SOURCE / "kernel" / "executors" / "sidecar"
AGENT = SOURCE / "kernel" / "executors" / "ray" / "node"
"""What goes to the nodes of a cluster, beside the sidecar and in one folder with it."""
SIDECAR_FILES = sorted([*SIDECAR.rglob("*.py"), *AGENT.rglob("*.py")])


def test_imports_when_linted_then_every_contract_is_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(SOURCE.parents[1])
    outcome = lint_imports(no_cache=True)
    assert outcome == int(not SUCCESS), capsys.readouterr().out


def test_server_when_the_churn_workbench_is_loaded_then_nothing_that_computes_with_data_is() -> None:
    """At run time, too, as an import inside of a library would not show in ours."""
    heavy = "{'duckdb', 'numpy', 'pandas', 'pyarrow', 'scipy', 'sklearn'}"
    loaded = f"print(sorted({heavy} & sys.modules.keys()))"
    code = f"import sys, fastflow.apps.churn.manifest, fastflow.apps.churn.router; {loaded}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def _imported(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add("fastflow" if node.level else (node.module or "").split(".")[0])
    return names


@pytest.mark.parametrize("path", SIDECAR_FILES, ids=lambda path: path.name)
def test_sidecar_when_read_then_it_uses_the_standard_library_and_its_siblings_only(path: Path) -> None:
    siblings = {file.stem for file in (*SIDECAR_FILES, *BORROWED)}
    imported = _imported(ast.parse(path.read_text()))
    assert imported <= siblings | set(sys.stdlib_module_names), "the sidecar runs on a pipeline's own interpreter"


@pytest.mark.parametrize("path", SIDECAR_FILES, ids=lambda path: path.name)
def test_sidecar_when_parsed_as_python_3_9_then_it_is_valid(path: Path) -> None:
    ast.parse(path.read_text(), filename=str(path), feature_version=(3, 9))


def test_agent_when_laid_beside_the_sidecar_then_no_two_files_have_one_name() -> None:
    names = [file.name for file in (*SIDECAR_FILES, *BORROWED) if file.name != "__init__.py"]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("path", BORROWED, ids=lambda path: path.name)
def test_file_of_the_server_when_nodes_use_it_then_it_needs_nothing_else_at_run_time(path: Path) -> None:
    tree = ast.parse(path.read_text())
    for node in tree.body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            tree.body.remove(node)
            break
    assert _imported(tree) <= set(sys.stdlib_module_names)
