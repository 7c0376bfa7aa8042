"""The inputs that a workbench handed to a run

Revision ID: 0021
Revises: 0020
"""

import sqlalchemy as sa
from alembic import op

revision = '0021'
down_revision = '0020'
branch_labels = None
depends_on = None
_WITH_INPUTS = sa.text('inputs_hash IS NOT NULL AND log_deleted_at IS NULL')


def upgrade() -> None:
    op.add_column('run', sa.Column('inputs_hash', sa.String(length=64), nullable=True))
    op.create_index(
        'ix_run_inputs_hash', 'run', ['inputs_hash'], sqlite_where=_WITH_INPUTS, postgresql_where=_WITH_INPUTS
    )


def downgrade() -> None:
    op.drop_index('ix_run_inputs_hash', 'run')
    op.drop_column('run', 'inputs_hash')
