"""Logins through an OpenID Connect provider: whom it means, and logins under way

Revision ID: 0015
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op

from fastflow.kernel.db.types import UtcDateTime

revision = '0015'
down_revision = '0014'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('user_account', sa.Column('oidc_issuer', sa.String(length=500), nullable=True))
    op.add_column('user_account', sa.Column('oidc_subject', sa.String(length=255), nullable=True))
    op.create_index('uq_user_account_oidc', 'user_account', ['oidc_issuer', 'oidc_subject'], unique=True)
    op.create_table('oidc_attempt',
    sa.Column('state_hash', sa.String(length=64), nullable=False),
    sa.Column('browser_hash', sa.String(length=64), nullable=False),
    sa.Column('nonce', sa.String(length=100), nullable=False),
    sa.Column('verifier', sa.String(length=128), nullable=False),
    sa.Column('return_to', sa.String(length=2000), nullable=False),
    sa.Column('expires_at', UtcDateTime(), nullable=False),
    sa.PrimaryKeyConstraint('state_hash', name=op.f('pk_oidc_attempt'))
    )
    op.create_index(op.f('ix_oidc_attempt_expires_at'), 'oidc_attempt', ['expires_at'], unique=False)


def downgrade() -> None:
    op.drop_table('oidc_attempt')
    op.drop_index('uq_user_account_oidc', 'user_account')
    op.drop_column('user_account', 'oidc_subject')
    op.drop_column('user_account', 'oidc_issuer')
