"""Repositories, the versions that are active, syncs and what they tell, webhooks' deliveries

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from fastflow.kernel.db.types import UtcDateTime

revision = '0010'
down_revision = '0009'
branch_labels = None
depends_on = None

_OPEN = sa.text("state IN ('queued', 'running')")
_UNSETTLED = sa.text("state = 'activated' AND settled_at IS NULL")


def _json() -> sa.JSON:
    return sa.JSON().with_variant(postgresql.JSONB(), 'postgresql')


def upgrade() -> None:
    op.create_table('repository',
    sa.Column('name', sa.String(length=63), nullable=False),
    sa.Column('url', sa.String(length=1000), nullable=False),
    sa.Column('branch', sa.String(length=200), nullable=False),
    sa.Column('subfolder', sa.String(length=500), nullable=False),
    sa.Column('prefix', sa.String(length=100), nullable=False),
    sa.Column('auth', sa.String(length=12), nullable=False),
    sa.Column('username', sa.String(length=200), nullable=False),
    sa.Column('secret', sa.String(length=128), nullable=True),
    sa.Column('app_id', sa.String(length=100), nullable=True),
    sa.Column('installation_id', sa.String(length=100), nullable=True),
    sa.Column('host_keys', sa.Text(), nullable=True),
    sa.Column('webhook_secret', sa.String(length=128), nullable=True),
    sa.Column('interval', sa.Float(), nullable=True),
    sa.Column('origin', sa.String(length=10), nullable=False),
    sa.Column('created_at', UtcDateTime(), nullable=False),
    sa.Column('created_by', sa.String(length=200), nullable=False),
    sa.Column('updated_at', UtcDateTime(), nullable=False),
    sa.Column('updated_by', sa.String(length=200), nullable=False),
    sa.Column('next_sync_at', UtcDateTime(), nullable=True),
    sa.Column('checked_at', UtcDateTime(), nullable=True),
    sa.Column('remote_commit', sa.String(length=64), nullable=True),
    sa.Column('problem', sa.Text(), nullable=True),
    sa.Column('held_commit', sa.String(length=64), nullable=True),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_repository'))
    )
    op.create_table('active_code',
    sa.Column('repository', sa.String(length=63), nullable=False),
    sa.Column('commit', sa.String(length=64), nullable=False),
    sa.Column('tree_hash', sa.String(length=64), nullable=False),
    sa.Column('prefix', sa.String(length=100), nullable=False),
    sa.Column('subfolder', sa.String(length=500), nullable=False),
    sa.Column('sync_id', sa.String(length=36), nullable=False),
    sa.Column('activated_at', UtcDateTime(), nullable=False),
    sa.Column('activated_by', sa.String(length=200), nullable=False),
    sa.PrimaryKeyConstraint('repository', name=op.f('pk_active_code'))
    )
    op.create_table('sync',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('repository', sa.String(length=63), nullable=False),
    sa.Column('action', sa.String(length=10), nullable=False),
    sa.Column('trigger', sa.String(length=10), nullable=False),
    sa.Column('requested_by', sa.String(length=200), nullable=False),
    sa.Column('requested_at', UtcDateTime(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('force', sa.Boolean(), nullable=False),
    sa.Column('state', sa.String(length=10), nullable=False),
    sa.Column('commit_before', sa.String(length=64), nullable=True),
    sa.Column('commit', sa.String(length=64), nullable=True),
    sa.Column('subject', sa.String(length=500), nullable=True),
    sa.Column('author', sa.String(length=300), nullable=True),
    sa.Column('tree_hash', sa.String(length=64), nullable=True),
    sa.Column('prefix', sa.String(length=100), nullable=False),
    sa.Column('subfolder', sa.String(length=500), nullable=False),
    sa.Column('plan', _json(), nullable=True),
    sa.Column('why', sa.Text(), nullable=False),
    sa.Column('started_at', UtcDateTime(), nullable=True),
    sa.Column('finished_at', UtcDateTime(), nullable=True),
    sa.Column('settled_at', UtcDateTime(), nullable=True),
    sa.Column('lease_owner', sa.String(length=100), nullable=True),
    sa.Column('lease_expires_at', UtcDateTime(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_sync'))
    )
    op.create_index('ix_sync_repository', 'sync', ['repository', 'id'], unique=False)
    op.create_index('ix_sync_open', 'sync', ['id'], unique=False, sqlite_where=_OPEN, postgresql_where=_OPEN)
    op.create_index('ix_sync_unsettled', 'sync', ['id'], unique=False, sqlite_where=_UNSETTLED, postgresql_where=_UNSETTLED)
    op.create_table('sync_event',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('sync_id', sa.String(length=36), nullable=False),
    sa.Column('at', UtcDateTime(), nullable=False),
    sa.Column('kind', sa.String(length=10), nullable=False),
    sa.Column('data', _json(), nullable=False),
    sa.ForeignKeyConstraint(['sync_id'], ['sync.id'], name=op.f('fk_sync_event_sync_id_sync'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_sync_event')),
    sqlite_autoincrement=True
    )
    op.create_index('ix_sync_event_sync_id', 'sync_event', ['sync_id', 'id'], unique=False)
    op.create_table('sync_delivery',
    sa.Column('repository', sa.String(length=63), nullable=False),
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('received_at', UtcDateTime(), nullable=False),
    sa.PrimaryKeyConstraint('repository', 'digest', name=op.f('pk_sync_delivery'))
    )


def downgrade() -> None:
    op.drop_table('sync_delivery')
    op.drop_table('sync_event')
    op.drop_table('sync')
    op.drop_table('active_code')
    op.drop_table('repository')
