"""The audit log becomes a chain: what there is already is chained in the order of its ids

Revision ID: 0013
Revises: 0012
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from fastflow.kernel.audit.domain.chain import Head, entry_hash
from fastflow.kernel.db.types import UtcDateTime

revision = '0013'
down_revision = '0012'
branch_labels = None
depends_on = None

_BATCH = 1000
_COLUMNS: dict[str, sa.types.TypeEngine[Any]] = {
    'lane': sa.BigInteger(),
    'seq': sa.BigInteger(),
    'previous': sa.String(length=64),
    'hash': sa.String(length=64),
}
_AUDIT = sa.table(
    'audit',
    sa.column('id', sa.BigInteger()),
    sa.column('at', UtcDateTime()),
    *(sa.column(name, sa.String()) for name in ('actor', 'action', 'subject', 'address')),
    sa.column('detail', sa.JSON().with_variant(postgresql.JSONB(), 'postgresql')),
    sa.column('lane', sa.BigInteger()),
    sa.column('seq', sa.BigInteger()),
    sa.column('previous', sa.String()),
    sa.column('hash', sa.String()),
)
_CHAINED = _AUDIT.update().where(_AUDIT.c.id == sa.bindparam('of_id')).values(
    {name: sa.bindparam(f'new_{name}') for name in _COLUMNS}
)


def upgrade() -> None:
    op.create_table('audit_head',
    sa.Column('lane', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('seq', sa.BigInteger(), nullable=False),
    sa.Column('hash', sa.String(length=64), nullable=False),
    sa.PrimaryKeyConstraint('lane', name=op.f('pk_audit_head'))
    )
    for name, kind in _COLUMNS.items():
        op.add_column('audit', sa.Column(name, kind, nullable=True))
    head = _chain(op.get_bind())
    if head.seq:
        op.execute(sa.text("INSERT INTO audit_head (lane, seq, hash) VALUES (:lane, :seq, :hash)").bindparams(
            lane=head.lane, seq=head.seq, hash=head.hash))
    with op.batch_alter_table('audit') as batch:
        for name, kind in _COLUMNS.items():
            batch.alter_column(name, existing_type=kind, nullable=False)
    op.create_index('uq_audit_lane', 'audit', ['lane', 'seq'], unique=True)


def _chain(connection: sa.Connection) -> Head:
    head, after = Head(lane=0), -1
    query = sa.select(_AUDIT).where(_AUDIT.c.id > sa.bindparam('after')).order_by(_AUDIT.c.id).limit(_BATCH)
    while rows := connection.execute(query, {'after': after}).all():
        changes = []
        for row in rows:
            digest = entry_hash(head, at=row.at, actor=row.actor, action=row.action, subject=row.subject,
                                detail=row.detail, address=row.address)
            changes.append({'of_id': row.id, 'new_lane': head.lane, 'new_seq': head.seq + 1,
                            'new_previous': head.hash, 'new_hash': digest})
            head = Head(lane=head.lane, seq=head.seq + 1, hash=digest)
        connection.execute(_CHAINED, changes)
        after = rows[-1].id
    return head


def downgrade() -> None:
    op.drop_index('uq_audit_lane', 'audit')
    with op.batch_alter_table('audit') as batch:
        for name in reversed(_COLUMNS):
            batch.drop_column(name)
    op.drop_table('audit_head')
