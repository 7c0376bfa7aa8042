"""Channels, alert rules, alerts and the outbox of notifications

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from fastflow.kernel.db.types import UtcDateTime

revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('alert',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('rule_id', sa.String(length=36), nullable=False),
    sa.Column('rule_name', sa.String(length=100), nullable=False),
    sa.Column('key', sa.String(length=300), nullable=False),
    sa.Column('event', sa.String(length=10), nullable=False),
    sa.Column('severity', sa.Integer(), nullable=False),
    sa.Column('pipeline_name', sa.String(length=200), nullable=True),
    sa.Column('run_id', sa.String(length=36), nullable=True),
    sa.Column('schedule_id', sa.String(length=36), nullable=True),
    sa.Column('facts', sa.JSON().with_variant(postgresql.JSONB(), 'postgresql'), nullable=False),
    sa.Column('at', UtcDateTime(), nullable=False),
    sa.Column('acknowledged_at', UtcDateTime(), nullable=True),
    sa.Column('acknowledged_by', sa.String(length=200), nullable=True),
    sa.Column('resolved_at', UtcDateTime(), nullable=True),
    sa.Column('next_repeat_at', UtcDateTime(), nullable=True),
    sa.Column('repeats', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_alert'))
    )
    op.create_index('ix_alert_at', 'alert', ['at'], unique=False)
    op.create_index('ix_alert_next_repeat_at', 'alert', ['next_repeat_at'], unique=False, sqlite_where=sa.text('next_repeat_at IS NOT NULL'), postgresql_where=sa.text('next_repeat_at IS NOT NULL'))
    op.create_index('ix_alert_open', 'alert', ['pipeline_name'], unique=False, sqlite_where=sa.text('resolved_at IS NULL'), postgresql_where=sa.text('resolved_at IS NULL'))
    op.create_index('ix_alert_pipeline_name_id', 'alert', ['pipeline_name', 'id'], unique=False)
    op.create_index('uq_alert_rule_id_key', 'alert', ['rule_id', 'key'], unique=True)
    op.create_table('alert_rule',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('pipeline_name', sa.String(length=200), nullable=False),
    sa.Column('name', sa.String(length=100), nullable=False),
    sa.Column('origin', sa.String(length=10), nullable=False),
    sa.Column('is_enabled', sa.Boolean(), nullable=False),
    sa.Column('settings', sa.JSON().with_variant(postgresql.JSONB(), 'postgresql'), nullable=False),
    sa.Column('watched_until', UtcDateTime(), nullable=False),
    sa.Column('next_check_at', UtcDateTime(), nullable=True),
    sa.Column('created_at', UtcDateTime(), nullable=False),
    sa.Column('created_by', sa.String(length=200), nullable=False),
    sa.Column('updated_at', UtcDateTime(), nullable=False),
    sa.Column('updated_by', sa.String(length=200), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_alert_rule'))
    )
    op.create_index('uq_alert_rule_name', 'alert_rule', ['pipeline_name', 'origin', 'name'], unique=True)
    op.create_table('channel',
    sa.Column('name', sa.String(length=100), nullable=False),
    sa.Column('kinds', sa.JSON().with_variant(postgresql.JSONB(), 'postgresql'), nullable=False),
    sa.Column('ciphertext', sa.Text(), nullable=False),
    sa.Column('description', sa.String(length=500), nullable=False),
    sa.Column('quiet', sa.JSON().with_variant(postgresql.JSONB(), 'postgresql'), nullable=False),
    sa.Column('breaks_quiet', sa.String(length=10), nullable=True),
    sa.Column('group_window', sa.Float(), nullable=False),
    sa.Column('is_enabled', sa.Boolean(), nullable=False),
    sa.Column('failures', sa.Integer(), nullable=False),
    sa.Column('last_error', sa.Text(), nullable=True),
    sa.Column('last_sent_at', UtcDateTime(), nullable=True),
    sa.Column('last_failed_at', UtcDateTime(), nullable=True),
    sa.Column('created_at', UtcDateTime(), nullable=False),
    sa.Column('created_by', sa.String(length=200), nullable=False),
    sa.Column('updated_at', UtcDateTime(), nullable=False),
    sa.Column('updated_by', sa.String(length=200), nullable=False),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_channel'))
    )
    op.create_table('pipeline_trouble',
    sa.Column('pipeline_name', sa.String(length=200), nullable=False),
    sa.Column('failing_since', UtcDateTime(), nullable=True),
    sa.Column('failures', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('pipeline_name', name=op.f('pk_pipeline_trouble'))
    )
    op.create_table('notification',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('alert_id', sa.String(length=36), nullable=False),
    sa.Column('channel', sa.String(length=100), nullable=False),
    sa.Column('severity', sa.Integer(), nullable=False),
    sa.Column('group_key', sa.String(length=300), nullable=False),
    sa.Column('state', sa.String(length=8), nullable=False),
    sa.Column('why', sa.Text(), nullable=False),
    sa.Column('held', sa.Boolean(), nullable=False),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('not_before', UtcDateTime(), nullable=False),
    sa.Column('delivered', sa.JSON().with_variant(postgresql.JSONB(), 'postgresql'), nullable=False),
    sa.Column('message_id', sa.String(length=36), nullable=True),
    sa.Column('title', sa.String(length=300), nullable=True),
    sa.Column('repeat', sa.Integer(), nullable=False),
    sa.Column('created_at', UtcDateTime(), nullable=False),
    sa.Column('sent_at', UtcDateTime(), nullable=True),
    sa.Column('lease_owner', sa.String(length=100), nullable=True),
    sa.Column('lease_expires_at', UtcDateTime(), nullable=True),
    sa.ForeignKeyConstraint(['alert_id'], ['alert.id'], name=op.f('fk_notification_alert_id_alert'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_notification'))
    )
    op.create_index('ix_notification_channel_group_key_sent_at', 'notification', ['channel', 'group_key', 'sent_at'], unique=False)
    op.create_index('ix_notification_channel_id', 'notification', ['channel', 'id'], unique=False)
    op.create_index('ix_notification_waiting', 'notification', ['not_before'], unique=False, sqlite_where=sa.text("state = 'waiting'"), postgresql_where=sa.text("state = 'waiting'"))
    op.create_index('uq_notification_alert_id_channel_repeat', 'notification', ['alert_id', 'channel', 'repeat'], unique=True)


def downgrade() -> None:
    op.drop_table('notification')
    op.drop_table('pipeline_trouble')
    op.drop_table('channel')
    op.drop_table('alert_rule')
    op.drop_table('alert')
