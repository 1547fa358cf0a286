"""Words for the fixed values of the product, as English message ids."""

from loudspeaker.places.models import PlaceKind
from loudspeaker.users.models import Role
from loudspeaker.web.i18n import marked

ROLE_WORDS = {
    Role.EDITOR: marked("Broadcast staff"),
    Role.APPROVER: marked("Approver"),
    Role.TECHNICIAN: marked("Technician"),
    Role.VILLAGE_HEAD: marked("Village head"),
    Role.PRECINCT_TEAM: marked("Precinct team"),
    Role.ADMINISTRATOR: marked("Administrator"),
    Role.AUDITOR: marked("Inspector"),
}

PLACE_WORDS = {
    PlaceKind.PROVINCE: marked("Province"),
    PlaceKind.COMMUNE: marked("Commune"),
    PlaceKind.VILLAGE: marked("Village"),
}
