"""Flows: runs that follow from one another, their steps, and the runs of each step

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from fastflow.kernel.db.types import UtcDateTime

revision = '0009'
down_revision = '0008'
branch_labels = None
depends_on = None

_DUE = sa.text('due_at IS NOT NULL')
_KEYED = sa.text('idempotency_key IS NOT NULL')
_MADE = sa.text('run_id IS NOT NULL')
_RUNNING = sa.text("state = 'RUNNING'")
_OPEN = sa.text("state IN ('WAITING', 'APPROVAL', 'RUNNING')")


def upgrade() -> None:
    op.create_table('flow',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('kind', sa.String(length=10), nullable=False),
    sa.Column('name', sa.String(length=300), nullable=False),
    sa.Column('status', sa.String(length=10), nullable=False),
    sa.Column('reason_text', sa.Text(), nullable=True),
    sa.Column('trigger', sa.String(length=20), nullable=False),
    sa.Column('submitted_by', sa.String(length=200), nullable=False),
    sa.Column('params', sa.JSON().with_variant(postgresql.JSONB(), 'postgresql'), nullable=False),
    sa.Column('priority', sa.Integer(), nullable=False),
    sa.Column('attempt', sa.Integer(), nullable=False),
    sa.Column('created_at', UtcDateTime(), nullable=False),
    sa.Column('finished_at', UtcDateTime(), nullable=True),
    sa.Column('due_at', UtcDateTime(), nullable=True),
    sa.Column('cancel_requested_at', UtcDateTime(), nullable=True),
    sa.Column('cancel_requested_by', sa.String(length=200), nullable=True),
    sa.Column('cancel_reason', sa.Text(), nullable=True),
    sa.Column('idempotency_key', sa.String(length=200), nullable=True),
    sa.Column('detail', sa.JSON().with_variant(postgresql.JSONB(), 'postgresql'), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_flow'))
    )
    op.create_index('ix_flow_due_at', 'flow', ['due_at'], unique=False, sqlite_where=_DUE, postgresql_where=_DUE)
    op.create_index('ix_flow_kind_id', 'flow', ['kind', 'id'], unique=False)
    op.create_index('ix_flow_kind_status_id', 'flow', ['kind', 'status', 'id'], unique=False)
    op.create_index('uq_flow_idempotency_key', 'flow', ['idempotency_key'], unique=True, sqlite_where=_KEYED, postgresql_where=_KEYED)
    op.create_table('flow_run',
    sa.Column('flow_id', sa.String(length=36), nullable=False),
    sa.Column('step', sa.String(length=200), nullable=False),
    sa.Column('element', sa.Integer(), nullable=False),
    sa.Column('attempt', sa.Integer(), nullable=False),
    sa.Column('key', sa.String(length=300), nullable=False),
    sa.Column('item', sa.JSON().with_variant(postgresql.JSONB(), 'postgresql'), nullable=True),
    sa.Column('run_id', sa.String(length=36), nullable=True),
    sa.Column('state', sa.String(length=10), nullable=False),
    sa.Column('why', sa.Text(), nullable=False),
    sa.Column('is_current', sa.Boolean(), nullable=False),
    sa.ForeignKeyConstraint(['flow_id'], ['flow.id'], name=op.f('fk_flow_run_flow_id_flow'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('flow_id', 'step', 'element', 'attempt', name=op.f('pk_flow_run'))
    )
    op.create_index('ix_flow_run_run_id', 'flow_run', ['run_id'], unique=False, sqlite_where=_MADE, postgresql_where=_MADE)
    op.create_index('ix_flow_run_running', 'flow_run', ['state', 'flow_id'], unique=False, sqlite_where=_RUNNING, postgresql_where=_RUNNING)
    op.create_index('ix_flow_run_state', 'flow_run', ['flow_id', 'step', 'is_current', 'state', 'element'], unique=False)
    op.create_table('flow_step',
    sa.Column('flow_id', sa.String(length=36), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('position', sa.Integer(), nullable=False),
    sa.Column('is_root', sa.Boolean(), nullable=False),
    sa.Column('after', sa.JSON().with_variant(postgresql.JSONB(), 'postgresql'), nullable=True),
    sa.Column('template', sa.JSON().with_variant(postgresql.JSONB(), 'postgresql'), nullable=True),
    sa.Column('problem', sa.Text(), nullable=True),
    sa.Column('tree_hash', sa.String(length=64), nullable=True),
    sa.Column('state', sa.String(length=10), nullable=False),
    sa.Column('why', sa.Text(), nullable=False),
    sa.Column('attempt', sa.Integer(), nullable=False),
    sa.Column('total', sa.Integer(), nullable=True),
    sa.Column('run_limit', sa.Integer(), nullable=False),
    sa.Column('allowed_failures', sa.Integer(), nullable=False),
    sa.Column('started_at', UtcDateTime(), nullable=True),
    sa.Column('finished_at', UtcDateTime(), nullable=True),
    sa.Column('asked_at', UtcDateTime(), nullable=True),
    sa.Column('expires_at', UtcDateTime(), nullable=True),
    sa.Column('decision', sa.String(length=10), nullable=True),
    sa.Column('decided_at', UtcDateTime(), nullable=True),
    sa.Column('decided_by', sa.String(length=200), nullable=True),
    sa.Column('note', sa.Text(), nullable=True),
    sa.ForeignKeyConstraint(['flow_id'], ['flow.id'], name=op.f('fk_flow_step_flow_id_flow'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('flow_id', 'name', name=op.f('pk_flow_step'))
    )
    op.create_index('ix_flow_step_name_flow_id', 'flow_step', ['name', 'flow_id'], unique=False)
    op.create_index('ix_flow_step_open', 'flow_step', ['tree_hash'], unique=False, sqlite_where=_OPEN, postgresql_where=_OPEN)


def downgrade() -> None:
    op.drop_table('flow_step')
    op.drop_table('flow_run')
    op.drop_table('flow')

