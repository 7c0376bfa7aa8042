"""What a run waits for where it is to run, before its start

Revision ID: 0019
Revises: 0018
"""

import sqlalchemy as sa
from alembic import op

revision = '0019'
down_revision = '0018'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('run', sa.Column('waits_for', sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column('run', 'waits_for')
