"""What the acts of the audit log are called, as English message ids."""

from loudspeaker.web.i18n import marked

_NOUNS = {
    "user": marked("Account"), "role": marked("Role"), "password": marked("Password"), "session": marked("Sign-in"),
    "token": marked("Token"), "link": marked("Personal link"), "place": marked("Place"), "zone": marked("Group"),
    "policy": marked("Broadcast policy"), "node": marked("Node"), "bulletin": marked("Bulletin"),
    "recording": marked("Recording"), "upload": marked("Upload"), "signing_key": marked("Signing key"),
    "trust": marked("Trust"), "programme": marked("Programme"), "broadcast": marked("Broadcast"),
    "stop": marked("Stop"), "command": marked("Command"), "fault": marked("Fault"), "site": marked("Installation"),
    "playback": marked("As-run log"), "log": marked("Logs"),
    "software": marked("Loudspeakers' program"),
}

_VERBS = {
    "created": marked("made"), "create": marked("made"), "made": marked("made"), "added": marked("added"),
    "add": marked("added"), "changed": marked("changed"), "change": marked("changed"), "update": marked("changed"),
    "moved": marked("moved"), "archived": marked("taken out of use"), "archive": marked("taken out of use"),
    "bring_back": marked("brought back"),
    "saved": marked("saved"), "removed": marked("removed"), "granted": marked("granted"),
    "revoked": marked("revoked"), "revoke": marked("revoked"), "started": marked("begun"), "ended": marked("ended"),
    "proposed": marked("proposed"), "signed": marked("signed"), "sign": marked("signed"),
    "register": marked("registered"), "list": marked("listed"), "seal": marked("sealed anew"),
    "ready": marked("ready"), "heard": marked("heard to the end"), "fail": marked("failed"),
    "send_back": marked("sent back"), "approve": marked("approved"),
    "reopen": marked("waits for approval again"), "cancel": marked("cancelled"),
    "retry": marked("tried again"), "expire": marked("expired"), "pressed": marked("pressed"),
    "lifted": marked("lifted"), "stop": marked("stop"), "volume": marked("volume"), "self_test": marked("self-test"),
    "sync": marked("sync"), "play_now": marked("air at once"), "now": marked("air at once"),
    "emergency": marked("emergency"), "report": marked("reported"), "take": marked("taken"), "note": marked("noted"),
    "close": marked("closed"), "photo": marked("photo added"), "retired": marked("taken down"),
    "reissued": marked("new file made"), "set_up": marked("set up"), "root": marked("trust root renewed"),
    "owners_needed": marked("number of approvers changed"), "second_hearing": marked("heard as second listener"),
    "approvers": marked("list of approvers signed"), "propose": marked("proposed"),
    "security": marked("refused something"),
    "published": marked("offered to the first loudspeakers"), "everywhere": marked("offered to all loudspeakers"),
    "halted": marked("halted, a loudspeaker went back to the one before"),
    "close_for_retired": marked("closed, node taken down"),
}


def act_words(act: str) -> tuple[str, str]:
    """Noun and verb of `noun.verb`; what has no words yet stays as it is."""
    noun, _, verb = act.partition(".")
    return _NOUNS.get(noun, noun), _VERBS.get(verb, verb)
