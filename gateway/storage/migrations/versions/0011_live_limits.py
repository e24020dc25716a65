"""Create the table of live limits, and the index that finds their history in the journal."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Create the table and the indexes."""
    op.create_table(
        "live_limits",
        sa.Column("policy", sa.Text, primary_key=True),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("document", sa.Text, nullable=True),
    )
    op.create_index("ix_live_limits_seq", "live_limits", ["seq"])
    op.create_index("ix_journal_subject", "journal", ["subject", "seq"])
