"""Failures in groups, and dead letters

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from fastflow.kernel.db.types import UtcDateTime

revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None

_UNSORTED = sa.text("status = 'FAILED' AND failure_group IS NULL AND reason <> 'cancelled'")
_SORTED = sa.text('failure_group IS NOT NULL')
_OPEN = sa.text("state = 'open'")


def upgrade() -> None:
    op.create_table('failure_group',
    sa.Column('id', sa.String(length=16), nullable=False),
    sa.Column('title', sa.Text(), nullable=False),
    sa.Column('exception', sa.String(length=200), nullable=True),
    sa.Column('frames', sa.JSON().with_variant(postgresql.JSONB(), 'postgresql'), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_failure_group'))
    )
    op.create_table('failure_sight',
    sa.Column('group_id', sa.String(length=16), nullable=False),
    sa.Column('pipeline_name', sa.String(length=200), nullable=False),
    sa.Column('runs', sa.Integer(), nullable=False),
    sa.Column('first_seen_at', UtcDateTime(), nullable=False),
    sa.Column('last_seen_at', UtcDateTime(), nullable=False),
    sa.Column('last_run_id', sa.String(length=36), nullable=False),
    sa.ForeignKeyConstraint(['group_id'], ['failure_group.id'], name=op.f('fk_failure_sight_group_id_failure_group'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('group_id', 'pipeline_name', name=op.f('pk_failure_sight'))
    )
    op.create_index('ix_failure_sight_last_run_id', 'failure_sight', ['last_run_id'], unique=False)
    op.create_index('ix_failure_sight_pipeline_name', 'failure_sight', ['pipeline_name', 'last_run_id'], unique=False)
    op.create_table('dead_letter',
    sa.Column('run_id', sa.String(length=36), nullable=False),
    sa.Column('pipeline_name', sa.String(length=200), nullable=False),
    sa.Column('state', sa.String(length=10), nullable=False),
    sa.Column('created_at', UtcDateTime(), nullable=False),
    sa.Column('settled_at', UtcDateTime(), nullable=True),
    sa.Column('settled_by', sa.String(length=200), nullable=True),
    sa.Column('note', sa.Text(), nullable=True),
    sa.Column('replayed_by', sa.String(length=36), nullable=True),
    sa.ForeignKeyConstraint(['run_id'], ['run.id'], name=op.f('fk_dead_letter_run_id_run'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('run_id', name=op.f('pk_dead_letter'))
    )
    op.create_index('ix_dead_letter_open', 'dead_letter', ['run_id'], unique=False, sqlite_where=_OPEN, postgresql_where=_OPEN)
    op.create_index('ix_dead_letter_pipeline_name', 'dead_letter', ['pipeline_name', 'state', 'run_id'], unique=False)
    op.add_column('run', sa.Column('failure_group', sa.String(length=16), nullable=True))
    op.create_index('ix_run_failure_group', 'run', ['failure_group', 'id'], unique=False, sqlite_where=_SORTED, postgresql_where=_SORTED)
    op.create_index('ix_run_failure_unsorted', 'run', ['status', 'id'], unique=False, sqlite_where=_UNSORTED, postgresql_where=_UNSORTED)


def downgrade() -> None:
    op.drop_index('ix_run_failure_unsorted', 'run')
    op.drop_index('ix_run_failure_group', 'run')
    op.drop_column('run', 'failure_group')
    op.drop_table('dead_letter')
    op.drop_table('failure_sight')
    op.drop_table('failure_group')
