"""Since when a daemon crashes, until one of its instances is stable

Revision ID: 0020
Revises: 0019
"""

import sqlalchemy as sa
from alembic import op

from fastflow.kernel.db.types import UtcDateTime

revision = '0020'
down_revision = '0019'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('daemon', sa.Column('failing_since', UtcDateTime(), nullable=True))


def downgrade() -> None:
    op.drop_column('daemon', 'failing_since')
