"""The code and the fields of the problem of a sync that was refused or failed

Revision ID: 0022
Revises: 0021
"""

import sqlalchemy as sa
from alembic import op

from fastflow.kernel.db.types import JsonColumn

revision = '0022'
down_revision = '0021'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('sync', sa.Column('code', sa.String(length=100), nullable=True))
    op.add_column('sync', sa.Column('fields', JsonColumn, nullable=True))


def downgrade() -> None:
    op.drop_column('sync', 'fields')
    op.drop_column('sync', 'code')
