"""The server of Loudspeaker: HTTP, pages, database, and the flows that bring approved sound to the poles."""

__version__ = "0.1.0"
