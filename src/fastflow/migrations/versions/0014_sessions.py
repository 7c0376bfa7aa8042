"""Sessions can be listed and end when they are not used; those there are end, and everybody logs in once more

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

from fastflow.kernel.db.types import UtcDateTime

revision = '0014'
down_revision = '0013'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute('DELETE FROM user_session')
    with op.batch_alter_table('user_session') as batch:
        batch.add_column(sa.Column('id', sa.String(length=36), nullable=False))
        batch.add_column(sa.Column('last_seen_at', UtcDateTime(), nullable=False))
        batch.add_column(sa.Column('method', sa.String(length=10), nullable=False))
        batch.add_column(sa.Column('address', sa.String(length=60), nullable=True))
        batch.add_column(sa.Column('user_agent', sa.String(length=200), nullable=True))
        batch.create_unique_constraint(op.f('uq_user_session_id'), ['id'])


def downgrade() -> None:
    with op.batch_alter_table('user_session') as batch:
        batch.drop_constraint(op.f('uq_user_session_id'), type_='unique')
        for name in ('user_agent', 'address', 'method', 'last_seen_at', 'id'):
            batch.drop_column(name)
