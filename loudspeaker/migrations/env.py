"""What Alembic runs: the connection is handed in by `loudspeaker.migrations.upgrade`."""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlmodel.sql.sqltypes import AutoString

from loudspeaker.database import UtcDateTime
from loudspeaker.migrations.tables import metadata


def render_item(kind: str, item: Any, _autogenerate: AutogenContext) -> str | Literal[False]:
    """Write our instants by name and text as text, so that a migration reads as the models do."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "UtcDateTime()"
    return "sa.String()" if kind == "type" and isinstance(item, AutoString) else False


context.configure(connection=context.config.attributes["connection"], target_metadata=metadata(),
                  render_item=render_item, render_as_batch=True, transaction_per_migration=False)
with context.begin_transaction():
    context.run_migrations()
