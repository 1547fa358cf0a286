"""What several nouns of the API share."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, PlainSerializer


def _written(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Instant = Annotated[AwareDatetime, AfterValidator(lambda one: one.astimezone(UTC)),
                    PlainSerializer(_written, when_used="json")]
"""RFC 3339 in UTC with milliseconds; given with any offset, never without one."""


class In(BaseModel):
    """What a client sends: unknown fields are a mistake that it is told of."""

    model_config = ConfigDict(extra="forbid", str_max_length=100_000)


class Out(BaseModel):
    """What a client is answered; read from a row's attributes."""

    model_config = ConfigDict(from_attributes=True)
