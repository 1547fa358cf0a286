"""Make the first tables."""

import sqlalchemy as sa
from alembic import op

from loudspeaker.database import UtcDateTime

revision = '0001'
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('audit_entry',
    sa.Column('seq', sa.Integer(), nullable=False),
    sa.Column('at', UtcDateTime(), nullable=False),
    sa.Column('actor_id', sa.String(), nullable=True),
    sa.Column('act', sa.String(), nullable=False),
    sa.Column('subject', sa.String(), nullable=False),
    sa.Column('place_id', sa.String(), nullable=True),
    sa.Column('data', sa.JSON(), nullable=False),
    sa.Column('previous', sa.String(), nullable=False),
    sa.Column('hash', sa.String(), nullable=False),
    sa.PrimaryKeyConstraint('seq')
    )
    with op.batch_alter_table('audit_entry', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_audit_entry_act'), ['act'], unique=False)
        batch_op.create_index(batch_op.f('ix_audit_entry_actor_id'), ['actor_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_audit_entry_at'), ['at'], unique=False)
        batch_op.create_index(batch_op.f('ix_audit_entry_subject'), ['subject'], unique=False)

    op.create_table('command_answer',
    sa.Column('command_id', sa.String(), nullable=False),
    sa.Column('node_id', sa.String(), nullable=False),
    sa.Column('result', sa.String(), nullable=False),
    sa.Column('at', UtcDateTime(), nullable=False),
    sa.Column('data', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('command_id', 'node_id')
    )
    op.create_table('command_sent',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('target', sa.String(), nullable=False),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('envelope', sa.LargeBinary(), nullable=False),
    sa.Column('issued', UtcDateTime(), nullable=False),
    sa.Column('expires', UtcDateTime(), nullable=False),
    sa.Column('by', sa.String(), nullable=True),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('command_sent', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_command_sent_expires'), ['expires'], unique=False)

    op.create_table('fact',
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('value', sa.String(), nullable=False),
    sa.PrimaryKeyConstraint('name')
    )
    op.create_table('failed_try',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('subject', sa.String(), nullable=False),
    sa.Column('at', UtcDateTime(), nullable=False),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('failed_try', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_failed_try_at'), ['at'], unique=False)
        batch_op.create_index(batch_op.f('ix_failed_try_subject'), ['subject'], unique=False)

    op.create_table('journal_entry',
    sa.Column('node_id', sa.String(), nullable=False),
    sa.Column('journal_id', sa.String(), nullable=False),
    sa.Column('seq', sa.BigInteger(), nullable=False),
    sa.Column('at', UtcDateTime(), nullable=False),
    sa.Column('received_at', UtcDateTime(), nullable=False),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('broadcast_id', sa.String(), nullable=True),
    sa.Column('recording', sa.String(), nullable=True),
    sa.Column('body', sa.String(), nullable=False),
    sa.Column('hash', sa.String(), nullable=False),
    sa.PrimaryKeyConstraint('node_id', 'journal_id', 'seq')
    )
    with op.batch_alter_table('journal_entry', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_journal_entry_at'), ['at'], unique=False)
        batch_op.create_index(batch_op.f('ix_journal_entry_broadcast_id'), ['broadcast_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_journal_entry_kind'), ['kind'], unique=False)

    op.create_table('journal_mark',
    sa.Column('node_id', sa.String(), nullable=False),
    sa.Column('journal_id', sa.String(), nullable=False),
    sa.Column('seq', sa.BigInteger(), nullable=False),
    sa.Column('hash', sa.String(), nullable=False),
    sa.Column('at', UtcDateTime(), nullable=True),
    sa.PrimaryKeyConstraint('node_id', 'journal_id')
    )
    op.create_table('place',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('parent_id', sa.String(), nullable=True),
    sa.Column('path', sa.String(), nullable=False),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('identifier', sa.String(), nullable=False),
    sa.Column('zone', sa.String(), nullable=False),
    sa.Column('languages', sa.JSON(), nullable=False),
    sa.Column('phone', sa.String(), nullable=False),
    sa.Column('latitude', sa.Float(), nullable=True),
    sa.Column('longitude', sa.Float(), nullable=True),
    sa.Column('created_at', UtcDateTime(), nullable=False),
    sa.Column('archived_at', UtcDateTime(), nullable=True),
    sa.ForeignKeyConstraint(['parent_id'], ['place.id'], ),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('place', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_place_parent_id'), ['parent_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_place_path'), ['path'], unique=False)

    op.create_table('standing_stop',
    sa.Column('scope', sa.String(), nullable=False),
    sa.Column('generation', sa.BigInteger(), nullable=False),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.Column('by', sa.String(), nullable=True),
    sa.Column('at', UtcDateTime(), nullable=False),
    sa.PrimaryKeyConstraint('scope')
    )
    op.create_table('trust_document',
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('envelope', sa.LargeBinary(), nullable=False),
    sa.Column('made_at', UtcDateTime(), nullable=False),
    sa.PrimaryKeyConstraint('kind', 'version')
    )
    op.create_table('user_account',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('login', sa.String(), nullable=True),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('phone', sa.String(), nullable=False),
    sa.Column('password_hash', sa.String(), nullable=True),
    sa.Column('language', sa.String(), nullable=False),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.Column('created_at', UtcDateTime(), nullable=False),
    sa.Column('password_changed_at', UtcDateTime(), nullable=True),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('user_account', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_user_account_login'), ['login'], unique=True)

    op.create_table('api_token',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('user_id', sa.String(), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('token_hash', sa.String(), nullable=False),
    sa.Column('created_at', UtcDateTime(), nullable=False),
    sa.Column('used_at', UtcDateTime(), nullable=True),
    sa.Column('revoked_at', UtcDateTime(), nullable=True),
    sa.ForeignKeyConstraint(['user_id'], ['user_account.id'], ),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('api_token', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_api_token_token_hash'), ['token_hash'], unique=True)
        batch_op.create_index(batch_op.f('ix_api_token_user_id'), ['user_id'], unique=False)

    op.create_table('bulletin',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('place_id', sa.String(), nullable=False),
    sa.Column('title', sa.String(), nullable=False),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('section', sa.String(), nullable=False),
    sa.Column('air_class', sa.Integer(), nullable=False),
    sa.Column('script', sa.String(), nullable=False),
    sa.Column('searchable', sa.String(), nullable=False),
    sa.Column('author_id', sa.String(), nullable=False),
    sa.Column('created_at', UtcDateTime(), nullable=False),
    sa.Column('changed_at', UtcDateTime(), nullable=False),
    sa.Column('archived_at', UtcDateTime(), nullable=True),
    sa.ForeignKeyConstraint(['author_id'], ['user_account.id'], ),
    sa.ForeignKeyConstraint(['place_id'], ['place.id'], ),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('bulletin', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_bulletin_author_id'), ['author_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_bulletin_place_id'), ['place_id'], unique=False)

    op.create_table('node',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('place_id', sa.String(), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('location', sa.String(), nullable=False),
    sa.Column('latitude', sa.Float(), nullable=True),
    sa.Column('longitude', sa.Float(), nullable=True),
    sa.Column('languages', sa.JSON(), nullable=False),
    sa.Column('volume', sa.Integer(), nullable=False),
    sa.Column('public_key', sa.String(), nullable=False),
    sa.Column('client_id', sa.String(), nullable=False),
    sa.Column('broker_secret', sa.String(), nullable=False),
    sa.Column('api_token_hash', sa.String(), nullable=False),
    sa.Column('sticker', sa.String(), nullable=False),
    sa.Column('created_at', UtcDateTime(), nullable=False),
    sa.Column('retired_at', UtcDateTime(), nullable=True),
    sa.Column('retired_by', sa.String(), nullable=True),
    sa.ForeignKeyConstraint(['place_id'], ['place.id'], ),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('client_id')
    )
    with op.batch_alter_table('node', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_node_api_token_hash'), ['api_token_hash'], unique=True)
        batch_op.create_index(batch_op.f('ix_node_place_id'), ['place_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_node_sticker'), ['sticker'], unique=True)

    op.create_table('personal_link',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('user_id', sa.String(), nullable=False),
    sa.Column('token_hash', sa.String(), nullable=False),
    sa.Column('created_at', UtcDateTime(), nullable=False),
    sa.Column('used_at', UtcDateTime(), nullable=True),
    sa.Column('revoked_at', UtcDateTime(), nullable=True),
    sa.ForeignKeyConstraint(['user_id'], ['user_account.id'], ),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('personal_link', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_personal_link_token_hash'), ['token_hash'], unique=True)
        batch_op.create_index(batch_op.f('ix_personal_link_user_id'), ['user_id'], unique=False)

    op.create_table('policy_version',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('place_id', sa.String(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('payload', sa.LargeBinary(), nullable=False),
    sa.Column('envelope', sa.LargeBinary(), nullable=True),
    sa.Column('made_by', sa.String(), nullable=False),
    sa.Column('made_at', UtcDateTime(), nullable=False),
    sa.Column('signed_by', sa.String(), nullable=True),
    sa.Column('signed_at', UtcDateTime(), nullable=True),
    sa.ForeignKeyConstraint(['place_id'], ['place.id'], ),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('place_id', 'version')
    )
    with op.batch_alter_table('policy_version', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_policy_version_place_id'), ['place_id'], unique=False)

    op.create_table('programme',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('place_id', sa.String(), nullable=False),
    sa.Column('title', sa.String(), nullable=False),
    sa.Column('air_class', sa.Integer(), nullable=False),
    sa.Column('volume', sa.Integer(), nullable=False),
    sa.Column('languages', sa.String(), nullable=False),
    sa.Column('first_start', UtcDateTime(), nullable=False),
    sa.Column('zone', sa.String(), nullable=False),
    sa.Column('rrule', sa.String(), nullable=True),
    sa.Column('exdates', sa.JSON(), nullable=False),
    sa.Column('latest_start_s', sa.Integer(), nullable=False),
    sa.Column('created_by', sa.String(), nullable=False),
    sa.Column('created_at', UtcDateTime(), nullable=False),
    sa.Column('changed_at', UtcDateTime(), nullable=False),
    sa.Column('revision', sa.Integer(), nullable=False),
    sa.Column('cancelled_at', UtcDateTime(), nullable=True),
    sa.ForeignKeyConstraint(['place_id'], ['place.id'], ),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('programme', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_programme_place_id'), ['place_id'], unique=False)

    op.create_table('role_grant',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('user_id', sa.String(), nullable=False),
    sa.Column('place_id', sa.String(), nullable=False),
    sa.Column('role', sa.String(), nullable=False),
    sa.Column('granted_by', sa.String(), nullable=True),
    sa.Column('granted_at', UtcDateTime(), nullable=False),
    sa.Column('valid_until', UtcDateTime(), nullable=True),
    sa.ForeignKeyConstraint(['place_id'], ['place.id'], ),
    sa.ForeignKeyConstraint(['user_id'], ['user_account.id'], ),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('user_id', 'place_id', 'role')
    )
    with op.batch_alter_table('role_grant', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_role_grant_place_id'), ['place_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_role_grant_user_id'), ['user_id'], unique=False)

    op.create_table('sign_in_session',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('user_id', sa.String(), nullable=False),
    sa.Column('csrf', sa.String(), nullable=False),
    sa.Column('created_at', UtcDateTime(), nullable=False),
    sa.Column('seen_at', UtcDateTime(), nullable=False),
    sa.Column('expires_at', UtcDateTime(), nullable=False),
    sa.Column('agent', sa.String(), nullable=False),
    sa.Column('address', sa.String(), nullable=False),
    sa.ForeignKeyConstraint(['user_id'], ['user_account.id'], ),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('sign_in_session', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_sign_in_session_user_id'), ['user_id'], unique=False)

    op.create_table('signing_key',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('user_id', sa.String(), nullable=False),
    sa.Column('public_key', sa.String(), nullable=False),
    sa.Column('sealed', sa.JSON(), nullable=True),
    sa.Column('made_at', UtcDateTime(), nullable=False),
    sa.Column('place_id', sa.String(), nullable=True),
    sa.Column('listed_at', UtcDateTime(), nullable=True),
    sa.Column('listed_by', sa.String(), nullable=True),
    sa.Column('valid_until', UtcDateTime(), nullable=True),
    sa.Column('revoked_at', UtcDateTime(), nullable=True),
    sa.ForeignKeyConstraint(['place_id'], ['place.id'], ),
    sa.ForeignKeyConstraint(['user_id'], ['user_account.id'], ),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('public_key')
    )
    with op.batch_alter_table('signing_key', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_signing_key_user_id'), ['user_id'], unique=False)

    op.create_table('zone',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('place_id', sa.String(), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('created_at', UtcDateTime(), nullable=False),
    sa.ForeignKeyConstraint(['place_id'], ['place.id'], ),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('place_id', 'name')
    )
    with op.batch_alter_table('zone', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_zone_place_id'), ['place_id'], unique=False)

    op.create_table('broadcast',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('programme_id', sa.String(), nullable=True),
    sa.Column('place_id', sa.String(), nullable=False),
    sa.Column('origin', sa.String(), nullable=False),
    sa.Column('title', sa.String(), nullable=False),
    sa.Column('start', UtcDateTime(), nullable=False),
    sa.Column('latest_start', UtcDateTime(), nullable=False),
    sa.Column('planned_end', UtcDateTime(), nullable=False),
    sa.Column('air_class', sa.Integer(), nullable=False),
    sa.Column('volume', sa.Integer(), nullable=False),
    sa.Column('languages', sa.String(), nullable=False),
    sa.Column('items', sa.JSON(), nullable=False),
    sa.Column('found_by', sa.String(), nullable=False),
    sa.Column('created_by', sa.String(), nullable=True),
    sa.Column('created_at', UtcDateTime(), nullable=False),
    sa.Column('cancelled_at', UtcDateTime(), nullable=True),
    sa.Column('cancelled_by', sa.String(), nullable=True),
    sa.ForeignKeyConstraint(['place_id'], ['place.id'], ),
    sa.ForeignKeyConstraint(['programme_id'], ['programme.id'], ),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('broadcast', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_broadcast_place_id'), ['place_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_broadcast_planned_end'), ['planned_end'], unique=False)
        batch_op.create_index(batch_op.f('ix_broadcast_programme_id'), ['programme_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_broadcast_start'), ['start'], unique=False)

    op.create_table('fault',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('source', sa.String(), nullable=False),
    sa.Column('node_id', sa.String(), nullable=True),
    sa.Column('place_id', sa.String(), nullable=False),
    sa.Column('state', sa.String(), nullable=False),
    sa.Column('note', sa.String(), nullable=False),
    sa.Column('data', sa.JSON(), nullable=False),
    sa.Column('reporter_id', sa.String(), nullable=True),
    sa.Column('idempotency_key', sa.String(), nullable=True),
    sa.Column('opened_at', UtcDateTime(), nullable=False),
    sa.Column('owner_id', sa.String(), nullable=True),
    sa.Column('taken_at', UtcDateTime(), nullable=True),
    sa.Column('closed_at', UtcDateTime(), nullable=True),
    sa.Column('closed_by', sa.String(), nullable=True),
    sa.Column('close_reason', sa.String(), nullable=False),
    sa.ForeignKeyConstraint(['node_id'], ['node.id'], ),
    sa.ForeignKeyConstraint(['place_id'], ['place.id'], ),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('idempotency_key')
    )
    with op.batch_alter_table('fault', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_fault_kind'), ['kind'], unique=False)
        batch_op.create_index(batch_op.f('ix_fault_node_id'), ['node_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_fault_opened_at'), ['opened_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_fault_place_id'), ['place_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_fault_state'), ['state'], unique=False)

    op.create_table('held_recording',
    sa.Column('node_id', sa.String(), nullable=False),
    sa.Column('sha256', sa.String(), nullable=False),
    sa.Column('stored_at', UtcDateTime(), nullable=False),
    sa.ForeignKeyConstraint(['node_id'], ['node.id'], ),
    sa.PrimaryKeyConstraint('node_id', 'sha256')
    )
    with op.batch_alter_table('held_recording', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_held_recording_sha256'), ['sha256'], unique=False)

    op.create_table('node_history',
    sa.Column('node_id', sa.String(), nullable=False),
    sa.Column('bucket', UtcDateTime(), nullable=False),
    sa.Column('heartbeats', sa.Integer(), nullable=False),
    sa.Column('offset_ms', sa.Float(), nullable=True),
    sa.Column('cpu_c', sa.Float(), nullable=True),
    sa.Column('disk_free_mb', sa.Integer(), nullable=True),
    sa.Column('signal_dbm', sa.Integer(), nullable=True),
    sa.ForeignKeyConstraint(['node_id'], ['node.id'], ),
    sa.PrimaryKeyConstraint('node_id', 'bucket')
    )
    op.create_table('node_state',
    sa.Column('node_id', sa.String(), nullable=False),
    sa.Column('online', sa.Boolean(), nullable=False),
    sa.Column('changed_at', UtcDateTime(), nullable=True),
    sa.Column('seen_at', UtcDateTime(), nullable=True),
    sa.Column('left_at', UtcDateTime(), nullable=True),
    sa.Column('boot', sa.String(), nullable=False),
    sa.Column('connection', sa.BigInteger(), nullable=False),
    sa.Column('firmware', sa.String(), nullable=False),
    sa.Column('held_epoch', sa.BigInteger(), nullable=False),
    sa.Column('held_version', sa.BigInteger(), nullable=False),
    sa.Column('held_root', sa.BigInteger(), nullable=False),
    sa.Column('held_approvers', sa.BigInteger(), nullable=False),
    sa.Column('held_policies', sa.String(), nullable=False),
    sa.Column('held_stop', sa.BigInteger(), nullable=False),
    sa.Column('journal_id', sa.String(), nullable=False),
    sa.Column('last_seq', sa.BigInteger(), nullable=False),
    sa.Column('playing', sa.String(), nullable=True),
    sa.Column('time_state', sa.String(), nullable=False),
    sa.Column('offset_ms', sa.Float(), nullable=True),
    sa.Column('error_ms', sa.Float(), nullable=True),
    sa.Column('telemetry', sa.JSON(), nullable=False),
    sa.ForeignKeyConstraint(['node_id'], ['node.id'], ),
    sa.PrimaryKeyConstraint('node_id')
    )
    op.create_table('programme_item',
    sa.Column('programme_id', sa.String(), nullable=False),
    sa.Column('position', sa.Integer(), nullable=False),
    sa.Column('recordings', sa.JSON(), nullable=False),
    sa.Column('gap_ms', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['programme_id'], ['programme.id'], ),
    sa.PrimaryKeyConstraint('programme_id', 'position')
    )
    op.create_table('programme_target',
    sa.Column('programme_id', sa.String(), nullable=False),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('target_id', sa.String(), nullable=False),
    sa.ForeignKeyConstraint(['programme_id'], ['programme.id'], ),
    sa.PrimaryKeyConstraint('programme_id', 'kind', 'target_id')
    )
    op.create_table('recording',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('bulletin_id', sa.String(), nullable=False),
    sa.Column('language', sa.String(), nullable=False),
    sa.Column('author_id', sa.String(), nullable=False),
    sa.Column('state', sa.String(), nullable=False),
    sa.Column('step', sa.String(), nullable=False),
    sa.Column('progress', sa.Float(), nullable=False),
    sa.Column('deadline_at', UtcDateTime(), nullable=False),
    sa.Column('error_code', sa.String(), nullable=True),
    sa.Column('error_params', sa.JSON(), nullable=False),
    sa.Column('source_name', sa.String(), nullable=False),
    sa.Column('source_path', sa.String(), nullable=False),
    sa.Column('with_chime', sa.Boolean(), nullable=False),
    sa.Column('sha256', sa.String(), nullable=True),
    sa.Column('size_bytes', sa.Integer(), nullable=True),
    sa.Column('duration_ms', sa.Integer(), nullable=True),
    sa.Column('integrated_lufs', sa.Float(), nullable=True),
    sa.Column('true_peak_dbtp', sa.Float(), nullable=True),
    sa.Column('waveform', sa.LargeBinary(), nullable=True),
    sa.Column('voice', sa.String(), nullable=False),
    sa.Column('statement', sa.LargeBinary(), nullable=True),
    sa.Column('created_at', UtcDateTime(), nullable=False),
    sa.Column('decided_at', UtcDateTime(), nullable=True),
    sa.ForeignKeyConstraint(['author_id'], ['user_account.id'], ),
    sa.ForeignKeyConstraint(['bulletin_id'], ['bulletin.id'], ),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('recording', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_recording_bulletin_id'), ['bulletin_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_recording_sha256'), ['sha256'], unique=False)
        batch_op.create_index(batch_op.f('ix_recording_state'), ['state'], unique=False)

    op.create_table('running_order',
    sa.Column('node_id', sa.String(), nullable=False),
    sa.Column('epoch', sa.BigInteger(), nullable=False),
    sa.Column('version', sa.BigInteger(), nullable=False),
    sa.Column('content_hash', sa.String(), nullable=False),
    sa.Column('envelope', sa.LargeBinary(), nullable=False),
    sa.Column('issued', UtcDateTime(), nullable=False),
    sa.Column('expires', UtcDateTime(), nullable=False),
    sa.Column('stop_generation', sa.BigInteger(), nullable=False),
    sa.Column('stop_active', sa.Boolean(), nullable=False),
    sa.ForeignKeyConstraint(['node_id'], ['node.id'], ),
    sa.PrimaryKeyConstraint('node_id')
    )
    op.create_table('upload',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('bulletin_id', sa.String(), nullable=False),
    sa.Column('user_id', sa.String(), nullable=False),
    sa.Column('filename', sa.String(), nullable=False),
    sa.Column('language', sa.String(), nullable=False),
    sa.Column('with_chime', sa.Boolean(), nullable=False),
    sa.Column('length', sa.Integer(), nullable=False),
    sa.Column('received', sa.Integer(), nullable=False),
    sa.Column('recording_id', sa.String(), nullable=True),
    sa.Column('created_at', UtcDateTime(), nullable=False),
    sa.Column('expires_at', UtcDateTime(), nullable=False),
    sa.ForeignKeyConstraint(['bulletin_id'], ['bulletin.id'], ),
    sa.ForeignKeyConstraint(['user_id'], ['user_account.id'], ),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('upload', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_upload_bulletin_id'), ['bulletin_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_upload_expires_at'), ['expires_at'], unique=False)

    op.create_table('zone_node',
    sa.Column('zone_id', sa.String(), nullable=False),
    sa.Column('node_id', sa.String(), nullable=False),
    sa.ForeignKeyConstraint(['node_id'], ['node.id'], ),
    sa.ForeignKeyConstraint(['zone_id'], ['zone.id'], ),
    sa.PrimaryKeyConstraint('zone_id', 'node_id')
    )
    with op.batch_alter_table('zone_node', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_zone_node_node_id'), ['node_id'], unique=False)

    op.create_table('approval',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('recording_id', sa.String(), nullable=False),
    sa.Column('user_id', sa.String(), nullable=False),
    sa.Column('key_id', sa.String(), nullable=False),
    sa.Column('envelope', sa.LargeBinary(), nullable=False),
    sa.Column('at', UtcDateTime(), nullable=False),
    sa.ForeignKeyConstraint(['key_id'], ['signing_key.id'], ),
    sa.ForeignKeyConstraint(['recording_id'], ['recording.id'], ),
    sa.ForeignKeyConstraint(['user_id'], ['user_account.id'], ),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('recording_id', 'user_id')
    )
    with op.batch_alter_table('approval', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_approval_recording_id'), ['recording_id'], unique=False)

    op.create_table('fault_note',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('fault_id', sa.String(), nullable=False),
    sa.Column('at', UtcDateTime(), nullable=False),
    sa.Column('user_id', sa.String(), nullable=True),
    sa.Column('text', sa.String(), nullable=False),
    sa.ForeignKeyConstraint(['fault_id'], ['fault.id'], ),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('fault_note', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_fault_note_fault_id'), ['fault_id'], unique=False)

    op.create_table('fault_photo',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('fault_id', sa.String(), nullable=False),
    sa.Column('media_type', sa.String(), nullable=False),
    sa.Column('size_bytes', sa.Integer(), nullable=False),
    sa.Column('at', UtcDateTime(), nullable=False),
    sa.ForeignKeyConstraint(['fault_id'], ['fault.id'], ),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('fault_photo', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_fault_photo_fault_id'), ['fault_id'], unique=False)

    op.create_table('heard',
    sa.Column('recording_id', sa.String(), nullable=False),
    sa.Column('user_id', sa.String(), nullable=False),
    sa.Column('intervals', sa.JSON(), nullable=False),
    sa.Column('started_at', UtcDateTime(), nullable=False),
    sa.Column('updated_at', UtcDateTime(), nullable=False),
    sa.Column('complete_at', UtcDateTime(), nullable=True),
    sa.ForeignKeyConstraint(['recording_id'], ['recording.id'], ),
    sa.ForeignKeyConstraint(['user_id'], ['user_account.id'], ),
    sa.PrimaryKeyConstraint('recording_id', 'user_id')
    )
    op.create_table('playback',
    sa.Column('node_id', sa.String(), nullable=False),
    sa.Column('broadcast_id', sa.String(), nullable=False),
    sa.Column('start', UtcDateTime(), nullable=False),
    sa.Column('state', sa.String(), nullable=False),
    sa.Column('reason', sa.String(), nullable=True),
    sa.Column('planned_ms', sa.Integer(), nullable=False),
    sa.Column('heard_ms', sa.Integer(), nullable=False),
    sa.Column('started_at', UtcDateTime(), nullable=True),
    sa.Column('ended_at', UtcDateTime(), nullable=True),
    sa.Column('start_error_ms', sa.Float(), nullable=True),
    sa.Column('peak_dbfs', sa.Float(), nullable=True),
    sa.Column('rms_dbfs', sa.Float(), nullable=True),
    sa.Column('segments', sa.JSON(), nullable=False),
    sa.Column('journal_id', sa.String(), nullable=True),
    sa.Column('seq', sa.BigInteger(), nullable=True),
    sa.Column('closed_by', sa.String(), nullable=True),
    sa.Column('withdrawn_at', UtcDateTime(), nullable=True),
    sa.Column('updated_at', UtcDateTime(), nullable=False),
    sa.ForeignKeyConstraint(['broadcast_id'], ['broadcast.id'], ),
    sa.ForeignKeyConstraint(['node_id'], ['node.id'], ),
    sa.PrimaryKeyConstraint('node_id', 'broadcast_id')
    )
    with op.batch_alter_table('playback', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_playback_broadcast_id'), ['broadcast_id'], unique=False)
        batch_op.create_index('ix_playback_node_start', ['node_id', 'start'], unique=False)
        batch_op.create_index(batch_op.f('ix_playback_start'), ['start'], unique=False)
        batch_op.create_index(batch_op.f('ix_playback_state'), ['state'], unique=False)

    op.create_table('revocation',
    sa.Column('sha256', sa.String(), nullable=False),
    sa.Column('recording_id', sa.String(), nullable=False),
    sa.Column('user_id', sa.String(), nullable=False),
    sa.Column('reason', sa.String(), nullable=False),
    sa.Column('at', UtcDateTime(), nullable=False),
    sa.Column('until', UtcDateTime(), nullable=False),
    sa.ForeignKeyConstraint(['recording_id'], ['recording.id'], ),
    sa.ForeignKeyConstraint(['user_id'], ['user_account.id'], ),
    sa.PrimaryKeyConstraint('sha256')
    )
    with op.batch_alter_table('revocation', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_revocation_recording_id'), ['recording_id'], unique=False)

    op.create_table('send_back',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('recording_id', sa.String(), nullable=False),
    sa.Column('user_id', sa.String(), nullable=False),
    sa.Column('reason', sa.String(), nullable=False),
    sa.Column('at', UtcDateTime(), nullable=False),
    sa.ForeignKeyConstraint(['recording_id'], ['recording.id'], ),
    sa.ForeignKeyConstraint(['user_id'], ['user_account.id'], ),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('send_back', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_send_back_recording_id'), ['recording_id'], unique=False)

