"""What users read agrees with what the code does."""

import re
import runpy
import tomllib
from pathlib import Path

import pytest

from fastflow import __version__
from fastflow.kernel.daemons.domain.declared import DAEMON_KEYS
from fastflow.kernel.notifications.domain.declared import NOTIFY_KEYS
from fastflow.kernel.pipelines.domain import settings as pipeline_settings
from fastflow.kernel.schedules.domain.declared import SCHEDULE_KEYS
from fastflow.settings import Settings

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md"), *(ROOT / "examples").rglob("*.md")])


def test_settings_page_when_written_anew_then_it_is_the_same() -> None:
    script = runpy.run_path(str(ROOT / "scripts" / "write_settings_reference.py"))
    page = DOCS / "reference" / "settings.md"
    assert page.read_text() == script["page"](), "run `make docs`"


def test_cli_page_when_written_anew_then_it_is_the_same() -> None:
    script = runpy.run_path(str(ROOT / "scripts" / "write_cli_reference.py"))
    page = DOCS / "reference" / "cli.md"
    assert page.read_text() == script["page"](), "run `make docs`"


@pytest.mark.parametrize("name", Settings.model_fields)
def test_setting_when_declared_then_it_says_what_it_means(name: str) -> None:
    description = Settings.model_fields[name].description
    assert description, f"{name} has no description"
    assert description.endswith("."), f"{name}: a sentence ends with a full stop"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page_when_it_links_to_a_file_then_the_file_exists(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
        if not re.match(r"[a-z]+:", target):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_make_targets_when_named_in_a_page_then_they_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        for name in re.findall(r"`make ([a-z-]+)", page.read_text()):
            assert name in targets, f"{page.name} names `make {name}`"


def test_version_when_asked_then_it_is_the_one_in_the_project_file() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert __version__ == project["version"]
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_examples_when_listed_then_each_folder_has_a_readme() -> None:
    for folder in (ROOT / "examples" / "pipelines").iterdir():
        if folder.is_dir() and (folder / "main.py").exists():
            assert (folder / "README.md").exists(), folder.name


@pytest.mark.parametrize("keys", ["KEYS", "_LIMIT_KEYS", "_CONCURRENCY_KEYS", "_RETRY_KEYS"])
def test_pipeline_settings_when_read_then_each_key_is_in_the_reference(keys: str) -> None:
    page = (DOCS / "reference" / "pipeline-toml.md").read_text()
    missing = [key for key in getattr(pipeline_settings, keys) if f"`{key}`" not in page]
    assert missing == []


def test_schedule_keys_when_read_then_each_is_in_the_reference() -> None:
    page = (DOCS / "reference" / "pipeline-toml.md").read_text()
    assert [key for key in SCHEDULE_KEYS if f"`{key}`" not in page] == []


def test_notify_keys_when_read_then_each_is_in_the_reference() -> None:
    page = (DOCS / "reference" / "pipeline-toml.md").read_text()
    assert [key for key in NOTIFY_KEYS if f"`{key}`" not in page] == []


def test_daemon_keys_when_read_then_each_is_in_the_reference() -> None:
    page = (DOCS / "reference" / "pipeline-toml.md").read_text()
    assert [key for key in DAEMON_KEYS if f"`{key}`" not in page] == []


def test_metrics_when_defined_then_each_is_in_the_reference() -> None:
    names = re.findall(r'"(fastflow_[a-z_]+)"', (ROOT / "src/fastflow/kernel/metrics/schemas.py").read_text())
    page = (DOCS / "reference" / "metrics.md").read_text()
    assert len(names) > 20 and [name for name in names if name not in page] == []


def test_documentation_when_listed_then_every_page_is_reachable_from_the_index() -> None:
    index = (DOCS / "README.md").read_text() + (DOCS / "decisions" / "README.md").read_text()
    lost = [str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md") if page.name != "README.md"]
    assert [page for page in lost if Path(page).name not in index] == []
