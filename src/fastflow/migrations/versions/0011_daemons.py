"""Daemons: pipelines that are supervised services

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

from fastflow.kernel.db.types import UtcDateTime

revision = '0011'
down_revision = '0010'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('daemon',
    sa.Column('pipeline_name', sa.String(length=200), nullable=False),
    sa.Column('wish', sa.String(length=10), nullable=False),
    sa.Column('code', sa.String(length=64), nullable=True),
    sa.Column('epoch', sa.Integer(), nullable=False),
    sa.Column('started', sa.Integer(), nullable=False),
    sa.Column('crashes', sa.Integer(), nullable=False),
    sa.Column('next_start_at', UtcDateTime(), nullable=True),
    sa.Column('crash_loop_since', UtcDateTime(), nullable=True),
    sa.Column('trouble', sa.Text(), nullable=True),
    sa.Column('changed_at', UtcDateTime(), nullable=False),
    sa.Column('changed_by', sa.String(length=200), nullable=False),
    sa.Column('lease_owner', sa.String(length=36), nullable=True),
    sa.Column('lease_expires_at', UtcDateTime(), nullable=True),
    sa.PrimaryKeyConstraint('pipeline_name', name=op.f('pk_daemon'))
    )
    op.create_table('daemon_event',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('pipeline_name', sa.String(length=200), nullable=False),
    sa.Column('at', UtcDateTime(), nullable=False),
    sa.Column('kind', sa.String(length=20), nullable=False),
    sa.Column('text', sa.Text(), nullable=False),
    sa.Column('run_id', sa.String(length=36), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_daemon_event')),
    sqlite_autoincrement=True
    )
    op.create_index('ix_daemon_event_pipeline_name', 'daemon_event', ['pipeline_name', 'id'], unique=False)
    op.create_table('daemon_instance',
    sa.Column('pipeline_name', sa.String(length=200), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('epoch', sa.Integer(), nullable=False),
    sa.Column('tree_hash', sa.String(length=64), nullable=True),
    sa.Column('port', sa.Integer(), nullable=True),
    sa.Column('run_id', sa.String(length=36), nullable=True),
    sa.Column('health', sa.String(length=10), nullable=False),
    sa.Column('health_at', UtcDateTime(), nullable=True),
    sa.Column('misses', sa.Integer(), nullable=False),
    sa.Column('stopping', sa.Text(), nullable=True),
    sa.Column('is_crash', sa.Boolean(), nullable=False),
    sa.ForeignKeyConstraint(['pipeline_name'], ['daemon.pipeline_name'], name=op.f('fk_daemon_instance_pipeline_name_daemon'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('pipeline_name', 'number', name=op.f('pk_daemon_instance'))
    )


def downgrade() -> None:
    op.drop_table('daemon_instance')
    op.drop_table('daemon_event')
    op.drop_table('daemon')
