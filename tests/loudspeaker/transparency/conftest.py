"""The commune in which documents are signed."""

from tests.loudspeaker.approvals.conftest import commune

__all__ = ["commune"]
