"""make the transparency log, passkeys, and second hearings."""

import sqlalchemy as sa
from alembic import op

from loudspeaker.database import UtcDateTime

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('logged_document',
    sa.Column('position', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('at', UtcDateTime(), nullable=False),
    sa.Column('payload_type', sa.String(), nullable=False),
    sa.Column('envelope', sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint('position')
    )
    with op.batch_alter_table('logged_document', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_logged_document_at'), ['at'], unique=False)

    op.create_table('logged_subtree',
    sa.Column('level', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('number', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('hash', sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint('level', 'number')
    )
    op.create_table('second_hearing',
    sa.Column('recording_id', sa.String(), nullable=False),
    sa.Column('user_id', sa.String(), nullable=False),
    sa.Column('says', sa.String(), nullable=False),
    sa.Column('at', UtcDateTime(), nullable=False),
    sa.ForeignKeyConstraint(['recording_id'], ['recording.id'], ),
    sa.ForeignKeyConstraint(['user_id'], ['user_account.id'], ),
    sa.PrimaryKeyConstraint('recording_id')
    )
    with op.batch_alter_table('node_state', schema=None) as batch_op:
        batch_op.add_column(sa.Column('held_log_size', sa.BigInteger(), nullable=False, server_default='0'))
        batch_op.add_column(sa.Column('held_log_root', sa.String(), nullable=False, server_default=''))

    with op.batch_alter_table('signing_key', schema=None) as batch_op:
        batch_op.add_column(sa.Column('kind', sa.String(), nullable=False, server_default='ed25519'))
        batch_op.add_column(sa.Column('relying_party', sa.String(), nullable=True))
        batch_op.add_column(sa.Column('origin', sa.String(), nullable=True))
        batch_op.add_column(sa.Column('credential_id', sa.String(), nullable=True))

    with op.batch_alter_table('user_account', schema=None) as batch_op:
        batch_op.add_column(sa.Column('languages', sa.JSON(), nullable=False, server_default='["vi"]'))
