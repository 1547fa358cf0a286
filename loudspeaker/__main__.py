"""The command `loudspeaker`. On a pole, where only the node's half is installed, it says how to get the server's."""

import importlib
import importlib.util
import sys

NEEDED = ("fastapi", "sqlmodel", "uvicorn", "pydantic_settings", "alembic", "argon2", "jinja2", "multipart")
INSTALL = "pip install 'loudspeaker[server]'"


def main() -> None:
    """Run the command line; exit code 2 where the server's parts are not installed."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        sys.stderr.write(f"The server is not installed here (missing: {', '.join(missing)}). Install it with:\n"
                         f"  {INSTALL}\nA loudspeaker node needs only: loudspeaker-node\n")
        sys.exit(2)
    importlib.import_module("loudspeaker.cli").run()


if __name__ == "__main__":
    main()
