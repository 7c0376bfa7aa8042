import ast
from collections.abc import Mapping

from fastflow.kernel.pipelines.domain.code import find_imports


def _imports(files: Mapping[str, str], script: str = "main.py") -> tuple[str, ...]:
    return find_imports(script, files.keys(), lambda path: ast.parse(files[path]))


def test_imports_when_at_the_top_then_dotted_names_of_modules_and_their_parts() -> None:
    found = _imports({"main.py": "import os.path, pandas as pd\nfrom sklearn import svm\nfrom a.b import *\n"})
    assert found == ("a.b", "os.path", "pandas", "sklearn", "sklearn.svm")


def test_imports_when_conditional_then_found_but_not_those_for_type_checkers_or_inside_functions() -> None:
    code = """
from __future__ import annotations
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    import never
else:
    import one
try:
    import two
except ImportError:
    import three
with open("x"):
    import four
if __name__ == "__main__":
    import five
def f():
    import later
class C:
    import later
"""
    assert _imports({"main.py": code}) == ("five", "four", "one", "three", "two", "typing", "typing.TYPE_CHECKING")


def test_imports_when_modules_lie_beside_the_script_then_followed_and_left_out() -> None:
    files = {
        "main.py": "import helper, pkg.part\nfrom . import x\n",
        "helper.py": "import numpy\n",
        "pkg/__init__.py": "",
        "pkg/part.py": "import scipy\nimport helper\n",
        "unused.py": "import torch\n",
    }
    assert _imports(files) == ("numpy", "scipy")
