"""Ids of events are never given out twice; runs know their code by a column; failed environments are remembered

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from fastflow.kernel.db.types import UtcDateTime

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None

_RETAINED = sa.text('log_deleted_at IS NULL')


def upgrade() -> None:
    op.create_table('environment_failure',
    sa.Column('input_hash', sa.String(length=64), nullable=False),
    sa.Column('problem', sa.Text(), nullable=False),
    sa.Column('failed_at', UtcDateTime(), nullable=False),
    sa.PrimaryKeyConstraint('input_hash', name=op.f('pk_environment_failure'))
    )
    op.add_column('run', sa.Column('tree_hash', sa.String(length=64), nullable=True))
    op.execute(f"UPDATE run SET tree_hash = {_tree_hash()}")
    op.create_index('ix_run_tree_hash', 'run', ['tree_hash'], unique=False, sqlite_where=_RETAINED, postgresql_where=_RETAINED)
    if _is_sqlite():  # PostgreSQL takes ids from a sequence, which never goes back
        _rewrite_events(sqlite_autoincrement=True)


def downgrade() -> None:
    if _is_sqlite():
        _rewrite_events(sqlite_autoincrement=False)
    op.drop_index('ix_run_tree_hash', 'run')
    op.drop_column('run', 'tree_hash')
    op.drop_table('environment_failure')


def _is_sqlite() -> bool:
    return op.get_bind().dialect.name == 'sqlite'


def _tree_hash() -> str:
    return "json_extract(capsule, '$.tree_hash')" if _is_sqlite() else "capsule ->> 'tree_hash'"


def _rewrite_events(*, sqlite_autoincrement: bool) -> None:
    """The table anew: how SQLite gives out ids is settled when a table is made."""
    op.rename_table('run_event', 'run_event_before')
    op.create_table('run_event',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('run_id', sa.String(length=36), nullable=False),
    sa.Column('at', UtcDateTime(), nullable=False),
    sa.Column('kind', sa.String(length=20), nullable=False),
    sa.Column('data', sa.JSON().with_variant(postgresql.JSONB(), 'postgresql'), nullable=False),
    sa.Column('source_offset', sa.BigInteger(), nullable=True),
    sa.ForeignKeyConstraint(['run_id'], ['run.id'], name=op.f('fk_run_event_run_id_run'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_run_event')),
    sqlite_autoincrement=sqlite_autoincrement
    )
    columns = 'id, run_id, at, kind, data, source_offset'
    op.execute(f'INSERT INTO run_event ({columns}) SELECT {columns} FROM run_event_before ORDER BY id')
    op.drop_table('run_event_before')
    op.create_index(op.f('ix_run_event_run_id'), 'run_event', ['run_id'], unique=False)
    op.create_index('uq_run_event_source', 'run_event', ['run_id', 'source_offset'], unique=True, sqlite_where=sa.text('source_offset IS NOT NULL'))
