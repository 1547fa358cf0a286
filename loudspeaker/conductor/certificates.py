"""The server's certificates as its settings ask for them, and their renewal while it runs."""

from datetime import datetime
from socket import gethostname
from urllib.parse import urlsplit

import structlog

from loudspeaker.conductor import tls
from loudspeaker.conductor.house import ANYWHERE, House, public_url
from loudspeaker.conductor.tls import BadCertificate, Tls
from loudspeaker.settings import Settings

log = structlog.get_logger("tls")


def open_tls(settings: Settings, now: datetime) -> Tls | None:
    """What the listeners show; None where they speak plain text. Raises BadCertificate, OSError."""
    if settings.tls_cert is not None and settings.tls_key is not None:
        return tls.given(settings.tls_cert, settings.tls_key, settings.tls_ca)
    if settings.tls == "own":
        return tls.own(settings.data / "keys", settings.data / "tls", names_of(settings), now)
    return None


def names_of(settings: Settings) -> tuple[str, ...]:
    """The names that the certificate stands for, the public one first."""
    listening = (one for one in (settings.host, settings.broker_host) if one not in ANYWHERE)
    return (urlsplit(public_url(settings)).hostname or "", gethostname(), *listening)


def renew(house: House) -> bool:
    """Make our certificate anew when it is soon over, and let both listeners show what is new; whether there was.

    A given certificate that somebody else renewed is taken up as well, once its files can be used.
    """
    if house.tls is None:
        return False
    try:
        tls.renew(house.tls, names_of(house.settings), house.now())
        house.tls.context()
    except BadCertificate as failure:
        log.error("certificate not renewed", failure=str(failure))
        return False
    if house.tls.made == house.shown:
        return False
    house.shown = house.tls.made
    log.info("certificate renewed")
    for show in house.renewed:
        show()
    return True
