"""Words for what about the trust of a site needs somebody's hand, as English message ids."""

from loudspeaker.conductor import trust_state
from loudspeaker.web.i18n import marked

CONCERN_WORDS = {
    trust_state.ROOT_ENDS: marked("The trust root is soon past its date. Sign the next one below with the root key."),
    trust_state.LIST_ENDS: marked("The list of approvers is soon past its date. Sign it again; "
                                  "past its date new approvals count on no loudspeaker."),
    trust_state.KEYS_END: marked("Some signing keys are soon past their date. List them again."),
    trust_state.KEYS_ONLINE: marked("Keys that belong in a safe lie on this server. "
                                    "Run `loudspeaker trust take-offline` on it."),
    trust_state.FOREIGN_SERVER_KEY: marked("The loudspeakers believe another server key than this server's. "
                                           "Run `loudspeaker trust rotate --new-server-key` on it."),
    trust_state.UNSIGNED: marked("A revoked key still counts on the loudspeakers until the list is signed."),
}
