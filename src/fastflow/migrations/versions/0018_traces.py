"""Ends whose traces were not sent to the collector yet

Revision ID: 0018
Revises: 0017
"""

import sqlalchemy as sa
from alembic import op

from fastflow.kernel.db.types import UtcDateTime

revision = '0018'
down_revision = '0017'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('trace_due',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('run_id', sa.String(length=36), nullable=False),
    sa.Column('lease_expires_at', UtcDateTime(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_trace_due')),
    sqlite_autoincrement=True
    )


def downgrade() -> None:
    op.drop_table('trace_due')
