"""Words for kinds and states of faults, as English message ids."""

from loudspeaker.faults.models import FaultKind, FaultState, Source
from loudspeaker.web.i18n import marked

FAULT_WORDS = {
    FaultKind.OFFLINE: marked("no connection"),
    FaultKind.BROKER: marked("the broker does not work"),
    FaultKind.SPARE_BROKER: marked("one of the brokers is away; the others carry on"),
    FaultKind.SECURITY: marked("refused something"),
    FaultKind.NO_SOUND: marked("no sound"),
    FaultKind.NOISE: marked("crackle, noise"),
    FaultKind.WRONG_CONTENT: marked("wrong content"),
    FaultKind.DAMAGE: marked("broken or fallen"),
    FaultKind.OTHER: marked("something else"),
}

FAULT_STATES = {
    FaultState.OPEN: marked("nobody has taken it"),
    FaultState.TAKEN: marked("taken"),
    FaultState.CLOSED: marked("closed"),
}

FAULT_SOURCES = {
    Source.SYSTEM: marked("found by the system"),
    Source.PERSON: marked("reported by phone"),
    Source.PUBLIC: marked("public feedback"),
}
