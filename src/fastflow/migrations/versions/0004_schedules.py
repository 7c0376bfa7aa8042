"""Schedules, the ledger of their due times, and pauses; runs know their schedule

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from fastflow.kernel.db.types import UtcDateTime

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None

_OF_SCHEDULE = sa.text('schedule_id IS NOT NULL')
_AHEAD = sa.text('next_fire_at IS NOT NULL')
_STARTING = sa.text("outcome = 'starting'")
_OPEN = sa.text('until IS NULL')


def upgrade() -> None:
    op.create_table('schedule',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('pipeline_name', sa.String(length=200), nullable=False),
    sa.Column('name', sa.String(length=100), nullable=False),
    sa.Column('origin', sa.String(length=10), nullable=False),
    sa.Column('trigger', sa.String(length=10), nullable=False),
    sa.Column('expression', sa.String(length=200), nullable=False),
    sa.Column('timezone', sa.String(length=100), nullable=False),
    sa.Column('anchor_at', UtcDateTime(), nullable=False),
    sa.Column('start_at', UtcDateTime(), nullable=True),
    sa.Column('end_at', UtcDateTime(), nullable=True),
    sa.Column('jitter', sa.Float(), nullable=False),
    sa.Column('params', sa.JSON().with_variant(postgresql.JSONB(), 'postgresql'), nullable=False),
    sa.Column('overlap', sa.String(length=12), nullable=False),
    sa.Column('missed', sa.String(length=8), nullable=False),
    sa.Column('catch_up_window', sa.Float(), nullable=True),
    sa.Column('priority', sa.Integer(), nullable=False),
    sa.Column('next_due_at', UtcDateTime(), nullable=True),
    sa.Column('next_fire_at', UtcDateTime(), nullable=True),
    sa.Column('last_due_at', UtcDateTime(), nullable=True),
    sa.Column('created_at', UtcDateTime(), nullable=False),
    sa.Column('created_by', sa.String(length=200), nullable=False),
    sa.Column('updated_at', UtcDateTime(), nullable=False),
    sa.Column('updated_by', sa.String(length=200), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_schedule'))
    )
    op.create_index('uq_schedule_name', 'schedule', ['pipeline_name', 'origin', 'name'], unique=True)
    op.create_index('ix_schedule_next_fire_at', 'schedule', ['next_fire_at'], unique=False, sqlite_where=_AHEAD, postgresql_where=_AHEAD)
    op.create_table('schedule_pause',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('scope', sa.String(length=10), nullable=False),
    sa.Column('subject', sa.String(length=200), nullable=False),
    sa.Column('since', UtcDateTime(), nullable=False),
    sa.Column('by', sa.String(length=200), nullable=False),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('until', UtcDateTime(), nullable=True),
    sa.Column('lifted_by', sa.String(length=200), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_schedule_pause'))
    )
    op.create_index('uq_schedule_pause_open', 'schedule_pause', ['scope', 'subject'], unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN)
    op.create_index('ix_schedule_pause_until', 'schedule_pause', ['until'], unique=False)
    op.create_table('occurrence',
    sa.Column('schedule_id', sa.String(length=36), nullable=False),
    sa.Column('due_at', UtcDateTime(), nullable=False),
    sa.Column('fire_at', UtcDateTime(), nullable=False),
    sa.Column('outcome', sa.String(length=10), nullable=False),
    sa.Column('why', sa.Text(), nullable=False),
    sa.Column('run_id', sa.String(length=36), nullable=True),
    sa.Column('recorded_at', UtcDateTime(), nullable=False),
    sa.Column('lease_owner', sa.String(length=100), nullable=True),
    sa.Column('lease_expires_at', UtcDateTime(), nullable=True),
    sa.ForeignKeyConstraint(['schedule_id'], ['schedule.id'], name=op.f('fk_occurrence_schedule_id_schedule'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('schedule_id', 'due_at', name=op.f('pk_occurrence')),
    sqlite_with_rowid=False
    )
    op.create_index('ix_occurrence_starting', 'occurrence', ['due_at'], unique=False, sqlite_where=_STARTING, postgresql_where=_STARTING)
    op.add_column('run', sa.Column('schedule_id', sa.String(length=36), nullable=True))
    op.create_index('ix_run_schedule_id', 'run', ['schedule_id', 'id'], unique=False, sqlite_where=_OF_SCHEDULE, postgresql_where=_OF_SCHEDULE)


def downgrade() -> None:
    op.drop_index('ix_run_schedule_id', 'run')
    op.drop_column('run', 'schedule_id')
    op.drop_table('occurrence')
    op.drop_table('schedule_pause')
    op.drop_table('schedule')
