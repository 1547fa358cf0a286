"""One tree of errors, free of HTTP. Each says what happened, what was kept, and what to do next.

The sentences are English message ids; the edges translate them (`_(error.title) % error.params`).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar


def marked(sentence: str) -> str:
    """Mark a sentence for the catalogue where it is written but not yet shown."""
    return sentence


class LoudspeakerError(Exception):
    """Root of everything that a person may be told. `code` is stable for machines, the sentences are for people."""

    code: ClassVar[str] = "error"
    title: str = "This could not be done."
    kept: str = "Nothing was changed."
    advice: str = "Try again; if it happens again, tell the technician."
    facts: Mapping[str, Any] = MappingProxyType({})
    """More for machines, as JSON values; it stands beside the sentences in an answer of the API."""

    def __init__(self, title: str | None = None, *, kept: str | None = None, advice: str | None = None,
                 code: str | None = None, **params: Any) -> None:
        self.title = title or type(self).title
        self.kept = kept or type(self).kept
        self.advice = advice or type(self).advice
        self.error_code = code or type(self).code
        self.params = params
        super().__init__(self.title % params if params else self.title)


class NotFoundError(LoudspeakerError):
    """What was asked for is not there, or not for this person to see."""

    code = "not_found"
    title = "This page or item does not exist."
    advice = "Go back and choose it from the list again."


class ForbiddenError(LoudspeakerError):
    """The person has no role that allows this here."""

    code = "forbidden"
    title = "Your account may not do this here."
    advice = "Ask an administrator for the role, or ask a colleague who has it."


class SignInNeededError(LoudspeakerError):
    """Nobody is signed in, or the session has ended."""

    code = "sign_in_needed"
    title = "Please sign in."
    advice = "Sign in and repeat the step; what you typed was kept by the browser."


class InvalidError(LoudspeakerError):
    """Something given is missing or impossible. `field` names the field where one is to blame."""

    code = "invalid"
    title = "Something in the form is missing or wrong."
    advice = "Correct the marked field and send again."

    def __init__(self, title: str | None = None, *, field: str | None = None, **rest: Any) -> None:
        super().__init__(title, **rest)
        self.field = field


class ConflictError(LoudspeakerError):
    """Somebody else changed it, or its state does not allow the step."""

    code = "conflict"
    title = "This was changed meanwhile."
    advice = "Load the page again and look at the new state."


class TooManyError(LoudspeakerError):
    """Throttled: too many tries."""

    code = "too_many"
    title = "Too many tries."
    advice = "Wait a few minutes and try again."


class TooLargeError(LoudspeakerError):
    """More bytes than allowed."""

    code = "too_large"
    title = "The file is too large."
    advice = "Choose a smaller file."


class UnavailableError(LoudspeakerError):
    """A part the server needs is not working now (disk, database, ffmpeg, broker)."""

    code = "unavailable"
    title = "A part of the server is not working now."
    advice = "Wait a minute and try again; if it goes on, tell the technician."
