"""Retries: attempts that know one another, and runs that wait for a time outside the queue

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

from fastflow.kernel.db.types import UtcDateTime

revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None

_PENDING = sa.text("status = 'PENDING'")
_READY = sa.text("status = 'PENDING' AND not_before IS NULL")
_DELAYED = sa.text("status = 'PENDING' AND not_before IS NOT NULL")
_RETRY = sa.text('retry_of IS NOT NULL')
_OF_ROOT = sa.text('root_id IS NOT NULL')


def _drop_queue() -> None:
    for name in ('ix_run_pending', 'ix_run_pending_pipeline_name'):
        op.drop_index(name, table_name='run')


def _make_queue(where: sa.TextClause) -> None:
    op.create_index('ix_run_pending', 'run', ['status', 'queue_rank', 'id'], unique=False, sqlite_where=where, postgresql_where=where)
    op.create_index('ix_run_pending_pipeline_name', 'run', ['status', 'pipeline_name', 'queue_rank', 'id', 'concurrency_key'], unique=False, sqlite_where=where, postgresql_where=where)


def upgrade() -> None:
    op.add_column('run', sa.Column('attempt', sa.Integer(), server_default='1', nullable=False))
    for name in ('retry_of', 'root_id', 'retried_by'):
        op.add_column('run', sa.Column(name, sa.String(length=36), nullable=True))
    op.add_column('run', sa.Column('not_before', UtcDateTime(), nullable=True))
    _drop_queue()
    _make_queue(_READY)
    op.create_index('ix_run_not_before', 'run', ['status', 'not_before'], unique=False, sqlite_where=_DELAYED, postgresql_where=_DELAYED)
    op.create_index('uq_run_retry_of', 'run', ['retry_of'], unique=True, sqlite_where=_RETRY, postgresql_where=_RETRY)
    op.create_index('ix_run_root_id', 'run', ['root_id', 'id'], unique=False, sqlite_where=_OF_ROOT, postgresql_where=_OF_ROOT)


def downgrade() -> None:
    op.drop_index('ix_run_root_id', 'run')
    op.drop_index('uq_run_retry_of', 'run')
    op.drop_index('ix_run_not_before', 'run')
    _drop_queue()
    _make_queue(_PENDING)
    for name in ('not_before', 'retried_by', 'root_id', 'retry_of', 'attempt'):
        op.drop_column('run', name)
