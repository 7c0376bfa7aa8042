"""The first tables

Revision ID: 0001
Revises: 
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from fastflow.kernel.db.types import UtcDateTime

revision = '0001'
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('api_token',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('name', sa.String(length=100), nullable=False),
    sa.Column('role', sa.String(length=10), nullable=False),
    sa.Column('token_hash', sa.String(length=64), nullable=False),
    sa.Column('pipelines', sa.JSON().with_variant(postgresql.JSONB(), 'postgresql'), nullable=True),
    sa.Column('created_by', sa.String(length=100), nullable=False),
    sa.Column('created_at', UtcDateTime(), nullable=False),
    sa.Column('expires_at', UtcDateTime(), nullable=True),
    sa.Column('last_used_at', UtcDateTime(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_api_token')),
    sa.UniqueConstraint('name', name=op.f('uq_api_token_name')),
    sa.UniqueConstraint('token_hash', name=op.f('uq_api_token_token_hash'))
    )
    op.create_table('audit',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('at', UtcDateTime(), nullable=False),
    sa.Column('actor', sa.String(length=200), nullable=False),
    sa.Column('action', sa.String(length=60), nullable=False),
    sa.Column('subject', sa.String(length=300), nullable=False),
    sa.Column('detail', sa.JSON().with_variant(postgresql.JSONB(), 'postgresql'), nullable=False),
    sa.Column('address', sa.String(length=60), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_audit'))
    )
    op.create_table('environment',
    sa.Column('hash', sa.String(length=64), nullable=False),
    sa.Column('interpreter', sa.String(length=200), nullable=False),
    sa.Column('lock', sa.Text(), nullable=False),
    sa.Column('uv_version', sa.String(length=40), nullable=False),
    sa.Column('size_bytes', sa.BigInteger(), nullable=False),
    sa.Column('packages', sa.Integer(), nullable=False),
    sa.Column('build_seconds', sa.Float(), nullable=False),
    sa.Column('built_at', UtcDateTime(), nullable=False),
    sa.Column('last_used_at', UtcDateTime(), nullable=False),
    sa.PrimaryKeyConstraint('hash', name=op.f('pk_environment'))
    )
    op.create_table('environment_resolution',
    sa.Column('input_hash', sa.String(length=64), nullable=False),
    sa.Column('environment', sa.String(length=64), nullable=False),
    sa.Column('resolved_at', UtcDateTime(), nullable=False),
    sa.PrimaryKeyConstraint('input_hash', name=op.f('pk_environment_resolution'))
    )
    with op.batch_alter_table('environment_resolution', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_environment_resolution_environment'), ['environment'], unique=False)

    op.create_table('login_attempt',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('subject', sa.String(length=200), nullable=False),
    sa.Column('at', UtcDateTime(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_login_attempt'))
    )
    with op.batch_alter_table('login_attempt', schema=None) as batch_op:
        batch_op.create_index('ix_login_attempt_subject_at', ['subject', 'at'], unique=False)

    op.create_table('pipeline',
    sa.Column('pipeline_name', sa.String(length=200), nullable=False),
    sa.Column('has_requirements', sa.Boolean(), nullable=False),
    sa.Column('last_cache_warmup', UtcDateTime(), nullable=True),
    sa.Column('first_seen_at', UtcDateTime(), nullable=False),
    sa.PrimaryKeyConstraint('pipeline_name', name=op.f('pk_pipeline'))
    )
    op.create_table('run',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('pipeline_name', sa.String(length=200), nullable=False),
    sa.Column('status', sa.String(length=10), nullable=False),
    sa.Column('reason', sa.String(length=20), nullable=True),
    sa.Column('reason_text', sa.Text(), nullable=True),
    sa.Column('exit_code', sa.Integer(), nullable=True),
    sa.Column('trigger', sa.String(length=20), nullable=False),
    sa.Column('submitted_by', sa.String(length=200), nullable=False),
    sa.Column('params', sa.JSON().with_variant(postgresql.JSONB(), 'postgresql'), nullable=False),
    sa.Column('executor', sa.String(length=20), nullable=False),
    sa.Column('priority', sa.Integer(), nullable=False),
    sa.Column('queue_rank', sa.Integer(), nullable=False),
    sa.Column('concurrency_key', sa.String(length=300), nullable=True),
    sa.Column('pipeline_limit', sa.Integer(), nullable=True),
    sa.Column('key_limit', sa.Integer(), nullable=True),
    sa.Column('idempotency_key', sa.String(length=200), nullable=True),
    sa.Column('rerun_of', sa.String(length=36), nullable=True),
    sa.Column('capsule', sa.JSON().with_variant(postgresql.JSONB(), 'postgresql'), nullable=False),
    sa.Column('queued_at', UtcDateTime(), nullable=False),
    sa.Column('wait_deadline', UtcDateTime(), nullable=True),
    sa.Column('claimed_at', UtcDateTime(), nullable=True),
    sa.Column('started_at', UtcDateTime(), nullable=True),
    sa.Column('finished_at', UtcDateTime(), nullable=True),
    sa.Column('setup_duration', sa.Float(), nullable=True),
    sa.Column('commit', sa.String(length=64), nullable=True),
    sa.Column('environment', sa.String(length=64), nullable=True),
    sa.Column('interpreter', sa.String(length=200), nullable=True),
    sa.Column('uv_version', sa.String(length=40), nullable=True),
    sa.Column('log_file', sa.Text(), nullable=True),
    sa.Column('log_deleted_at', UtcDateTime(), nullable=True),
    sa.Column('isolation', sa.JSON().with_variant(postgresql.JSONB(), 'postgresql'), nullable=True),
    sa.Column('progress', sa.JSON().with_variant(postgresql.JSONB(), 'postgresql'), nullable=True),
    sa.Column('metrics', sa.JSON().with_variant(postgresql.JSONB(), 'postgresql'), nullable=True),
    sa.Column('outputs', sa.JSON().with_variant(postgresql.JSONB(), 'postgresql'), nullable=True),
    sa.Column('peak_memory_bytes', sa.BigInteger(), nullable=True),
    sa.Column('cpu_seconds', sa.Float(), nullable=True),
    sa.Column('host', sa.String(length=64), nullable=True),
    sa.Column('lease_owner', sa.String(length=64), nullable=True),
    sa.Column('lease_token', sa.Integer(), nullable=False),
    sa.Column('attempt_token', sa.Integer(), nullable=False),
    sa.Column('lease_expires_at', UtcDateTime(), nullable=True),
    sa.Column('cancel_requested_at', UtcDateTime(), nullable=True),
    sa.Column('cancel_requested_by', sa.String(length=200), nullable=True),
    sa.Column('cancel_reason', sa.Text(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_run'))
    )
    with op.batch_alter_table('run', schema=None) as batch_op:
        batch_op.create_index('ix_run_pipeline_name_id', ['pipeline_name', 'id'], unique=False)
        batch_op.create_index('ix_run_status_id', ['status', 'id', 'trigger'], unique=False)
        batch_op.create_index('ix_run_pipeline_name_status_id', ['pipeline_name', 'status', 'id', 'trigger'], unique=False)
        batch_op.create_index('ix_run_trigger_id', ['trigger', 'id'], unique=False)
        batch_op.create_index('ix_run_pipeline_name_trigger_id', ['pipeline_name', 'trigger', 'id'], unique=False)
        batch_op.create_index('ix_run_reason_id', ['reason', 'id', 'trigger'], unique=False, sqlite_where=sa.text("reason IS NOT NULL"), postgresql_where=sa.text("reason IS NOT NULL"))
        batch_op.create_index('ix_run_pipeline_name_reason_id', ['pipeline_name', 'reason', 'id', 'trigger'], unique=False, sqlite_where=sa.text("reason IS NOT NULL"), postgresql_where=sa.text("reason IS NOT NULL"))
        batch_op.create_index('ix_run_pending', ['status', 'queue_rank', 'id'], unique=False, sqlite_where=sa.text("status = 'PENDING'"), postgresql_where=sa.text("status = 'PENDING'"))
        batch_op.create_index('ix_run_pending_pipeline_name', ['status', 'pipeline_name', 'queue_rank', 'id', 'concurrency_key'], unique=False, sqlite_where=sa.text("status = 'PENDING'"), postgresql_where=sa.text("status = 'PENDING'"))
        batch_op.create_index('ix_run_running', ['status', 'pipeline_name', 'concurrency_key', 'lease_owner'], unique=False, sqlite_where=sa.text("status = 'RUNNING'"), postgresql_where=sa.text("status = 'RUNNING'"))
        batch_op.create_index('ix_run_wait_deadline', ['wait_deadline'], unique=False, sqlite_where=sa.text("status = 'PENDING' AND wait_deadline IS NOT NULL"), postgresql_where=sa.text("status = 'PENDING' AND wait_deadline IS NOT NULL"))
        batch_op.create_index('ix_run_log_kept', ['pipeline_name', 'id'], unique=False, sqlite_where=sa.text("finished_at IS NOT NULL AND log_deleted_at IS NULL"), postgresql_where=sa.text("finished_at IS NOT NULL AND log_deleted_at IS NULL"))
        batch_op.create_index('ix_run_log_kept_finished_at', ['finished_at'], unique=False, sqlite_where=sa.text("finished_at IS NOT NULL AND log_deleted_at IS NULL"), postgresql_where=sa.text("finished_at IS NOT NULL AND log_deleted_at IS NULL"))
        batch_op.create_index('uq_run_idempotency', ['pipeline_name', 'idempotency_key'], unique=True)

    op.create_table('runner',
    sa.Column('host', sa.String(length=64), nullable=False),
    sa.Column('owner', sa.String(length=64), nullable=False),
    sa.Column('hostname', sa.String(length=255), nullable=False),
    sa.Column('pid', sa.Integer(), nullable=False),
    sa.Column('started_at', UtcDateTime(), nullable=False),
    sa.Column('seen_at', UtcDateTime(), nullable=False),
    sa.Column('stopped_at', UtcDateTime(), nullable=True),
    sa.PrimaryKeyConstraint('host', name=op.f('pk_runner'))
    )
    op.create_table('secret',
    sa.Column('key', sa.String(length=200), nullable=False),
    sa.Column('is_parameter', sa.Boolean(), nullable=False),
    sa.Column('pipelines', sa.JSON().with_variant(postgresql.JSONB(), 'postgresql'), nullable=True),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('created_at', UtcDateTime(), nullable=False),
    sa.Column('updated_at', UtcDateTime(), nullable=False),
    sa.PrimaryKeyConstraint('key', name=op.f('pk_secret'))
    )
    op.create_table('secret_retired',
    sa.Column('key', sa.String(length=200), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('key', name=op.f('pk_secret_retired'))
    )
    op.create_table('user_account',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('name', sa.String(length=100), nullable=False),
    sa.Column('role', sa.String(length=10), nullable=False),
    sa.Column('password_hash', sa.String(length=300), nullable=False),
    sa.Column('must_change_password', sa.Boolean(), nullable=False),
    sa.Column('disabled', sa.Boolean(), nullable=False),
    sa.Column('created_at', UtcDateTime(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_user_account')),
    sa.UniqueConstraint('name', name=op.f('uq_user_account_name'))
    )
    op.create_table('run_artifact',
    sa.Column('run_id', sa.String(length=36), nullable=False),
    sa.Column('path', sa.String(length=1000), nullable=False),
    sa.Column('size_bytes', sa.BigInteger(), nullable=False),
    sa.Column('sha256', sa.String(length=64), nullable=False),
    sa.Column('created_at', UtcDateTime(), nullable=False),
    sa.ForeignKeyConstraint(['run_id'], ['run.id'], name=op.f('fk_run_artifact_run_id_run'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('run_id', 'path', name=op.f('pk_run_artifact'))
    )
    op.create_table('run_event',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('run_id', sa.String(length=36), nullable=False),
    sa.Column('at', UtcDateTime(), nullable=False),
    sa.Column('kind', sa.String(length=20), nullable=False),
    sa.Column('data', sa.JSON().with_variant(postgresql.JSONB(), 'postgresql'), nullable=False),
    sa.Column('source_offset', sa.BigInteger(), nullable=True),
    sa.ForeignKeyConstraint(['run_id'], ['run.id'], name=op.f('fk_run_event_run_id_run'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_run_event'))
    )
    with op.batch_alter_table('run_event', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_run_event_run_id'), ['run_id'], unique=False)
        batch_op.create_index('uq_run_event_source', ['run_id', 'source_offset'], unique=True, sqlite_where=sa.text('source_offset IS NOT NULL'), postgresql_where=sa.text('source_offset IS NOT NULL'))

    op.create_table('secret_version',
    sa.Column('key', sa.String(length=200), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('ciphertext', sa.Text(), nullable=False),
    sa.Column('created_at', UtcDateTime(), nullable=False),
    sa.Column('created_by', sa.String(length=200), nullable=False),
    sa.ForeignKeyConstraint(['key'], ['secret.key'], name=op.f('fk_secret_version_key_secret'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('key', 'version', name=op.f('pk_secret_version'))
    )
    op.create_table('user_session',
    sa.Column('token_hash', sa.String(length=64), nullable=False),
    sa.Column('user_id', sa.String(length=36), nullable=False),
    sa.Column('created_at', UtcDateTime(), nullable=False),
    sa.Column('expires_at', UtcDateTime(), nullable=False),
    sa.ForeignKeyConstraint(['user_id'], ['user_account.id'], name=op.f('fk_user_session_user_id_user_account'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('token_hash', name=op.f('pk_user_session'))
    )
    with op.batch_alter_table('user_session', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_user_session_expires_at'), ['expires_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_user_session_user_id'), ['user_id'], unique=False)



def downgrade() -> None:
    with op.batch_alter_table('user_session', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_user_session_user_id'))
        batch_op.drop_index(batch_op.f('ix_user_session_expires_at'))

    op.drop_table('user_session')
    op.drop_table('secret_version')
    with op.batch_alter_table('run_event', schema=None) as batch_op:
        batch_op.drop_index('uq_run_event_source')
        batch_op.drop_index(batch_op.f('ix_run_event_run_id'))

    op.drop_table('run_event')
    op.drop_table('run_artifact')
    op.drop_table('user_account')
    op.drop_table('secret_retired')
    op.drop_table('secret')
    with op.batch_alter_table('run', schema=None) as batch_op:
        batch_op.drop_index('uq_run_idempotency')
        batch_op.drop_index('ix_run_log_kept_finished_at')
        batch_op.drop_index('ix_run_log_kept')
        batch_op.drop_index('ix_run_wait_deadline')
        batch_op.drop_index('ix_run_running')
        batch_op.drop_index('ix_run_pending_pipeline_name')
        batch_op.drop_index('ix_run_pending')
        batch_op.drop_index('ix_run_pipeline_name_reason_id')
        batch_op.drop_index('ix_run_reason_id')
        batch_op.drop_index('ix_run_pipeline_name_trigger_id')
        batch_op.drop_index('ix_run_trigger_id')
        batch_op.drop_index('ix_run_pipeline_name_status_id')
        batch_op.drop_index('ix_run_status_id')
        batch_op.drop_index('ix_run_pipeline_name_id')

    op.drop_table('runner')
    op.drop_table('run')
    op.drop_table('pipeline')
    with op.batch_alter_table('login_attempt', schema=None) as batch_op:
        batch_op.drop_index('ix_login_attempt_subject_at')

    op.drop_table('login_attempt')
    with op.batch_alter_table('environment_resolution', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_environment_resolution_environment'))

    op.drop_table('environment_resolution')
    op.drop_table('environment')
    op.drop_table('audit')
    op.drop_table('api_token')
