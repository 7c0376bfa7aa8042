"""Totals of ended runs, which outlive the runs; those that ended already are counted

Revision ID: 0017
Revises: 0016
"""

import sqlalchemy as sa
from alembic import op

from fastflow.kernel.db.types import JsonColumn, UtcDateTime

revision = '0017'
down_revision = '0016'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('run_end',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('pipeline_name', sa.String(length=200), nullable=False),
    sa.Column('status', sa.String(length=10), nullable=False),
    sa.Column('reason', sa.String(length=20), nullable=False),
    sa.Column('queued_at', UtcDateTime(), nullable=False),
    sa.Column('claimed_at', UtcDateTime(), nullable=True),
    sa.Column('started_at', UtcDateTime(), nullable=True),
    sa.Column('finished_at', UtcDateTime(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_run_end')),
    sqlite_autoincrement=True
    )
    op.create_table('run_total',
    sa.Column('pipeline_name', sa.String(length=200), nullable=False),
    sa.Column('status', sa.String(length=10), nullable=False),
    sa.Column('reason', sa.String(length=20), nullable=False),
    sa.Column('runs', sa.BigInteger(), nullable=False),
    sa.Column('histograms', JsonColumn, nullable=False),
    sa.PrimaryKeyConstraint('pipeline_name', 'status', 'reason', name=op.f('pk_run_total'))
    )
    op.create_table('run_total_place',
    sa.Column('pipeline_name', sa.String(length=200), nullable=False),
    sa.Column('place', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('pipeline_name', name=op.f('pk_run_total_place')),
    sa.UniqueConstraint('place', name=op.f('uq_run_total_place_place'))
    )
    op.create_index(
        'ix_occurrence_missed', 'occurrence', ['due_at'],
        sqlite_where=sa.text("outcome = 'missed'"), postgresql_where=sa.text("outcome = 'missed'"),
    )
    op.execute(
        'INSERT INTO run_end (pipeline_name, status, reason, queued_at, claimed_at, started_at, finished_at) '
        "SELECT pipeline_name, status, COALESCE(reason, ''), queued_at, claimed_at, started_at, finished_at "
        'FROM run WHERE finished_at IS NOT NULL ORDER BY id'
    )


def downgrade() -> None:
    op.drop_index('ix_occurrence_missed', 'occurrence')
    op.drop_table('run_total_place')
    op.drop_table('run_total')
    op.drop_table('run_end')
