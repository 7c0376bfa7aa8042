"""Panels as they are kept: Parquet whose rows know the line of the file that they came from.

Where each row stands on the line after the row before, the Parquet file has no column for it and names the first row's line
alone: a file is then written by all threads at once, as no row has to be counted. Its whole numbers are narrow if they fit.
"""

from pathlib import Path

import duckdb

from fastflow.apps.churn.infra.engine.connection import literal, quoted

LINE = "source_line"
WRITTEN_AS = "(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)"
NARROW, WIDE = "INTEGER", "BIGINT"
"""Types of whole numbers: as they are written where all of them fit, and as everybody reads them."""
_KEYS = ("I_TIMEBASE", "I_Alive")
_FIRST_LINE = "first_line"


def written_in_order(first_line: int) -> str:
    """How rows without a column of lines are written, of which the first one is on that line."""
    return f"(FORMAT parquet, COMPRESSION snappy, KV_METADATA {{{_FIRST_LINE}: {literal(first_line)}}})"


def rows_of(connection: duckdb.DuckDBPyConnection, path: Path | str) -> str:
    """The rows of a kept file as a query, `source_line` the last of its columns where it was left out."""
    table = f"parquet_kv_metadata({literal(path)})"
    told = connection.execute(f"SELECT decode(value) FROM {table} WHERE key = encode('{_FIRST_LINE}')").fetchall()
    if not told:
        return f"SELECT * FROM read_parquet({literal(path)})"
    types = connection.execute(f"DESCRIBE FROM read_parquet({literal(path)})").fetchall()
    narrow = [quoted(name) for name, kind, *_ in types if kind == NARROW and name not in _KEYS]
    widened = f" REPLACE ({', '.join(f'CAST({name} AS {WIDE}) AS {name}' for name in narrow)})" if narrow else ""
    counted = f"CAST(file_row_number + {int(told[0][0])} AS BIGINT) AS {LINE}"
    table = f"read_parquet({literal(path)}, file_row_number = true)"
    return f"SELECT * EXCLUDE (file_row_number){widened}, {counted} FROM {table}"
