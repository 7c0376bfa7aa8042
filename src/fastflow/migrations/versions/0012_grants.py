"""Roles on some pipelines for users and tokens

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0012'
down_revision = '0011'
branch_labels = None
depends_on = None

_TABLES = ('user_account', 'api_token')


def upgrade() -> None:
    for table in _TABLES:
        op.add_column(table, sa.Column('grants', sa.JSON().with_variant(postgresql.JSONB(), 'postgresql'), nullable=True))


def downgrade() -> None:
    for table in _TABLES:
        op.drop_column(table, 'grants')
