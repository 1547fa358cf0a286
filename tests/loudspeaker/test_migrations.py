"""The migrations make what the models describe, on both databases."""

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from loudspeaker.database import Database
from loudspeaker.migrations import upgrade
from loudspeaker.migrations.tables import metadata


def test_the_migrated_schema_is_the_one_that_the_models_describe(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata()) == []


def test_upgrading_a_new_database_again_changes_nothing(database: Database) -> None:
    upgrade(database.engine)
    upgrade(database.engine)
