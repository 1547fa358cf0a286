"""Write a migration from what differs between the newest version and the models: `scripts/new_migration.py "Add …"`."""

import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.config import Config

from loudspeaker.database import Database
from loudspeaker.migrations import FOLDER, upgrade


def main(message: str) -> None:
    """Make `loudspeaker/migrations/versions/<number>_<message>.py`."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'empty.db'}")
        upgrade(database.engine)
        config = Config()
        config.set_main_option("script_location", str(FOLDER))
        config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
        number = len(list((FOLDER / "versions").glob("*.py"))) + 1
        with database.engine.connect() as connection:
            config.attributes["connection"] = connection
            command.revision(config, message, autogenerate=True, rev_id=f"{number:04}")
        database.close()


if __name__ == "__main__":
    main(sys.argv[1])
