"""Webhooks

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from fastflow.kernel.db.types import UtcDateTime

revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('webhook',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('pipeline_name', sa.String(length=200), nullable=False),
    sa.Column('name', sa.String(length=100), nullable=False),
    sa.Column('is_enabled', sa.Boolean(), nullable=False),
    sa.Column('key_hash', sa.String(length=64), nullable=False),
    sa.Column('key_hint', sa.String(length=8), nullable=False),
    sa.Column('former_key_hash', sa.String(length=64), nullable=True),
    sa.Column('former_key_until', UtcDateTime(), nullable=True),
    sa.Column('scheme', sa.String(length=10), nullable=False),
    sa.Column('ciphertext', sa.Text(), nullable=True),
    sa.Column('tolerance', sa.Float(), nullable=False),
    sa.Column('mapping', sa.JSON().with_variant(postgresql.JSONB(), 'postgresql'), nullable=False),
    sa.Column('whole_body', sa.Boolean(), nullable=False),
    sa.Column('addresses', sa.JSON().with_variant(postgresql.JSONB(), 'postgresql'), nullable=False),
    sa.Column('rate_per_minute', sa.Integer(), nullable=False),
    sa.Column('calls', sa.Integer(), nullable=False),
    sa.Column('refused', sa.Integer(), nullable=False),
    sa.Column('last_call_at', UtcDateTime(), nullable=True),
    sa.Column('last_refusal', sa.Text(), nullable=True),
    sa.Column('created_at', UtcDateTime(), nullable=False),
    sa.Column('created_by', sa.String(length=200), nullable=False),
    sa.Column('updated_at', UtcDateTime(), nullable=False),
    sa.Column('updated_by', sa.String(length=200), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_webhook'))
    )
    op.create_index('ix_webhook_former_key_hash', 'webhook', ['former_key_hash'], unique=False)
    op.create_index('uq_webhook_key_hash', 'webhook', ['key_hash'], unique=True)
    op.create_index('uq_webhook_name', 'webhook', ['pipeline_name', 'name'], unique=True)


def downgrade() -> None:
    op.drop_table('webhook')
