"""Give API keys claims, which limits count by and choose tiers by."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Add the column: a JSON object, without members for the keys that there are."""
    op.add_column(
        "api_keys", sa.Column("claims", sa.Text, nullable=False, server_default=sa.text("'{}'"))
    )
