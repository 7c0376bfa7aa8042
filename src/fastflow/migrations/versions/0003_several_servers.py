"""Several servers on one database: code travels through it and runners tell where they can be reached

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

from fastflow.kernel.db.types import UtcDateTime

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('code_archive',
    sa.Column('tree_hash', sa.String(length=64), nullable=False),
    sa.Column('archive', sa.LargeBinary(), nullable=False),
    sa.Column('stored_at', UtcDateTime(), nullable=False),
    sa.PrimaryKeyConstraint('tree_hash', name=op.f('pk_code_archive'))
    )
    op.add_column('runner', sa.Column('url', sa.String(length=500), nullable=True))


def downgrade() -> None:
    op.drop_column('runner', 'url')
    op.drop_table('code_archive')
