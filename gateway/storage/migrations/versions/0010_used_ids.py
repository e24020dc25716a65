"""Create the table of ids that may be used once."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0005"


def upgrade() -> None:
    """Create the table and its index."""
    op.create_table(
        "used_ids",
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_used_ids_expires_at", "used_ids", ["expires_at"])
