"""A bundle: the rows of one experiment in one domain, as files with their checksums, and a manifest that names them all.

The manifest has a checksum of its own: what was changed in a bundle is found, wherever it was.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .document import Column, Document, Table
from .experiment_rows import KEY, rows_of
from .fusion import OF_ONE
from .tables import EXPERIMENTS, RESULTS

FORMAT = "fastflow-churn-bundle"
VERSION = 1
CHURN, COX, COUNTERFACTUALS = "churn", "cox", "counterfactuals"
DOMAINS = (CHURN, COX, COUNTERFACTUALS)
PIPELINES = {CHURN: "churn", COX: "cox", COUNTERFACTUALS: "cf"}
"""Domain -> the pipeline whose results it is made of."""
SHARED = RESULTS
"""The one table whose rows are of the domain of the pipeline that each names."""
MANIFEST = "manifest.json"
_PATH = re.compile(r"tables/[A-Za-z_][A-Za-z0-9_]{0,99}(?:-[0-9]{1,6})?\.(?:json|parquet)")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class BundleError(ValueError):
    """A bundle is not whole; the text begins with the file's name."""


@dataclass(frozen=True, kw_only=True)
class BundleFile:
    """A file of a bundle.

    Attributes:
        path: in the bundle's folder.
        table: whose rows it holds: JSON, all of a table's records; Parquet, one of its segments.
        sha256: of its bytes.
        size: in bytes.
        rows: how many.
    """

    path: str
    table: str
    sha256: str
    size: int
    rows: int


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a bundle holds.

    Attributes:
        domain: one of `DOMAINS`.
        experiment: the experiment's row when it was written.
        exported_at: ISO 8601 UTC.
        tables: descriptions, without rows.
        files: all of them.
    """

    domain: str
    experiment: Mapping[str, Any]
    exported_at: str
    tables: Mapping[str, Table]
    files: Sequence[BundleFile]

    @property
    def experiment_id(self) -> int:
        """Whose rows it holds."""
        return int(self.experiment[KEY])

    @property
    def rows(self) -> Mapping[str, int]:
        """Table -> rows."""
        return {name: sum(file.rows for file in self.files if file.table == name) for name in sorted(self.tables)}


def domain_of(table: str) -> str | None:
    """The domain whose bundles hold the table; None: it goes into none.

    >>> domain_of("cox_survival"), domain_of("cf_individual"), domain_of("backtest_results"), domain_of("experiments")
    ('cox', 'counterfactuals', 'churn', None)
    """
    if table in (EXPERIMENTS, SHARED) or OF_ONE.fullmatch(table):
        return None
    if table.startswith("cf_"):
        return COUNTERFACTUALS
    return COX if table.startswith("cox_") or table in ("customer_cox_details", "churn_cox_consistency") else CHURN


def is_of(domain: str, table: str, row: Mapping[str, Any]) -> bool:
    """Whether a row of the table goes into bundles of the domain."""
    return row.get("pipeline") == PIPELINES[domain] if table == SHARED else domain_of(table) == domain


def tables_of(document: Document, domain: str, experiment_id: int) -> Sequence[str]:
    """Tables of the domain that hold rows of the experiment."""
    shared = (row for row in document.records(SHARED) if row.get(KEY) == experiment_id)
    extra = [SHARED] if any(is_of(domain, SHARED, row) for row in shared) else []
    return [*(name for name in rows_of(document, experiment_id) if domain_of(name) == domain), *extra]


def write_manifest(manifest: Manifest) -> bytes:
    """The manifest as text."""
    content = {
        "format": FORMAT,
        "version": VERSION,
        "domain": manifest.domain,
        "experiment": dict(manifest.experiment),
        "exported_at": manifest.exported_at,
        "tables": {
            name: {
                "description": table.description,
                "source": table.source,
                "kind": "records" if table.segments is None else "segments",
                "schema": {key: [column.type, column.description] for key, column in table.columns.items()},
            }
            for name, table in manifest.tables.items()
        },
        "files": [vars(file) for file in manifest.files],
    }
    return _text({**content, "checksum": _checksum(content)})


def read_manifest(content: bytes) -> Manifest:
    """The manifest that a text holds.

    Raises:
        BundleError: it is none, or was changed.
    """
    try:
        whole = json.loads(content)
        if not isinstance(whole, dict) or whole.get("format") != FORMAT or whole.get("version") != VERSION:
            raise BundleError(f"{MANIFEST} is no manifest of {FORMAT}, version {VERSION}")
        if whole.pop("checksum", None) != _checksum(whole):
            raise BundleError(f"{MANIFEST} has another checksum than it says: it was changed")
        return _manifest(whole)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise error if isinstance(error, BundleError) else BundleError(f"{MANIFEST} cannot be read: {error}") from error


def _manifest(whole: Mapping[str, Any]) -> Manifest:
    files = [BundleFile(**file) for file in whole["files"]]
    tables = {}
    for name, told in whole["tables"].items():
        columns = {key: Column(kind, description) for key, (kind, description) in told["schema"].items()}
        empty: dict[str, Any] = {"records": ()} if told["kind"] == "records" else {"segments": ()}
        tables[name] = Table(description=told["description"], source=told["source"], columns=columns, **empty)
    if whole["domain"] not in DOMAINS or any(domain_of(name) != whole["domain"] for name in tables if name != SHARED):
        raise BundleError(f"{MANIFEST} names tables of another domain")
    for file in files:
        if not _PATH.fullmatch(file.path) or not _SHA256.fullmatch(file.sha256) or file.table not in tables:
            raise BundleError(f"{MANIFEST} names the file {file.path[:200]!r}, which cannot be one of a bundle")
        if file.path.endswith(".json") != (tables[file.table].segments is None):
            raise BundleError(f"{MANIFEST} names {file.path}, which is of the wrong kind for its table")
    return Manifest(
        domain=whole["domain"],
        experiment=dict(whole["experiment"]),
        exported_at=str(whole["exported_at"]),
        tables=tables,
        files=files,
    )


def _checksum(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False, allow_nan=False).encode()).hexdigest()


def _text(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False).encode() + b"\n"
