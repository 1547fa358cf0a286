"""Why a programme may not be saved, in sentences: the one place where codes of `schedules` become words."""

from loudspeaker.errors import marked
from schedules.checks import ViolationCode
from schedules.recurrence_rule import BadRecurrence

NO_POLICY = "no_policy"
COLLISION = "collision"

SENTENCES: dict[str, str] = {
    ViolationCode.OUTSIDE_FRAME: marked("%(node)s, %(at)s: outside the time frames that the policy opens."),
    ViolationCode.QUIET_HOURS: marked("%(node)s, %(at)s: inside the quiet hours."),
    ViolationCode.SESSION_TOO_LONG:
        marked("%(node)s, %(at)s: the session would last %(actual)d minutes; at most %(limit)d are allowed."),
    ViolationCode.TOO_MANY_SESSIONS:
        marked("%(node)s, %(at)s: this would be %(actual)d sessions in one day; at most %(limit)d are allowed."),
    ViolationCode.OVER_VOLUME_CAP:
        marked("%(node)s, %(at)s: a volume of %(actual)d %% is above the allowed %(limit)d %%."),
    NO_POLICY: marked("%(node)s: no approver has signed a policy for this place yet, so nothing may air there."),
    COLLISION: marked("%(node)s, %(at)s: “%(other)s” of the same class airs at this time."),
}
PREEMPTS = marked("%(node)s, %(at)s: interrupts “%(other)s”; %(seconds)d seconds of it would be lost.")
PREEMPTED = marked("%(node)s, %(at)s: is interrupted by “%(other)s”; %(seconds)d seconds would be lost.")

RECURRENCE: dict[str, str] = {
    "syntax": marked("The recurrence cannot be read."),
    "unsupported": marked("This kind of recurrence is not supported."),
    "too_often": marked("A programme may recur at most %(limit)s times a day."),
    "too_long": marked("The recurrence is too long."),
    "never_fires": marked("With this recurrence it would never air."),
    "no_end": marked("The recurrence needs an end."),
    "ends_twice": marked("The recurrence has both a number of times and a last day; choose one."),
}


def recurrence_sentence(error: BadRecurrence) -> str:
    """The sentence for a recurrence that cannot be; its parameters are `error.params`."""
    return RECURRENCE.get(error.code, RECURRENCE["syntax"])
