"""The database's versions (Alembic), and bringing a database to the newest one."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

FOLDER = Path(__file__).parent


def is_current(engine: Engine) -> bool:
    """Whether the database is at the newest version."""
    with engine.connect() as connection:
        held = MigrationContext.configure(connection).get_current_heads()
    return set(held) == set(ScriptDirectory.from_config(_config()).get_heads())


def upgrade(engine: Engine) -> None:
    """Bring the database to the newest version; cheap when it is there already."""
    if is_current(engine):
        return
    config = _config()
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    return config
