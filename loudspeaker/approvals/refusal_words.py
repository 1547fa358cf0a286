"""Why a signature was not accepted: reason → (what is wrong, what to do), as catalogue sentences."""

from typing import Final

from firmware_bridge.contract.trust import Reason
from loudspeaker.errors import marked

REFUSAL_WORDS: Final[dict[Reason, tuple[str, str]]] = {
    Reason.MALFORMED: (marked("The signature could not be read."), marked("Load the page again and sign once more.")),
    Reason.WRONG_TYPE: (marked("What was signed is not a recording."),
                        marked("Load the page again and sign once more.")),
    Reason.ALTERED: (marked("What was signed is not the statement of this recording."),
                     marked("Load the page again, listen, and sign once more.")),
    Reason.FOREIGN_KEY: (marked("This signing key is not one of yours that counts here."),
                         marked("Ask an administrator to list your key for this place.")),
    Reason.BAD_SIGNATURE: (marked("The signature does not hold."), marked("Load the page again and sign once more.")),
    Reason.REVOKED: (marked("This signing key was revoked."), marked("Make a new key and have it listed.")),
    Reason.WRONG_PLACE: (marked("This signing key does not count at this place."),
                         marked("Ask an administrator to list your key for this place.")),
    Reason.EXPIRED: (marked("The signing key or the statement is past its date."),
                     marked("Ask an administrator to list your key anew, or have the sound uploaded once more.")),
    Reason.NOT_YET_VALID: (marked("The statement does not hold yet."),
                           marked("Check the date and time of the server, then sign once more.")),
    Reason.OWN_APPROVAL: (marked("You made this recording yourself, so somebody else must approve it."),
                          marked("Ask another approver to listen and sign.")),
    Reason.WRONG_SITE: (marked("The statement belongs to another installation."),
                        marked("Load the page again and sign once more.")),
}
