"""Every table of the server, in one place: the only module that imports all models."""

from sqlalchemy import MetaData
from sqlmodel import SQLModel

from loudspeaker.approvals import models as _approvals
from loudspeaker.audit import models as _audit
from loudspeaker.broadcasts import models as _broadcasts
from loudspeaker.bulletins import models as _bulletins
from loudspeaker.faults import models as _faults
from loudspeaker.lease import models as _lease
from loudspeaker.nodes import models as _nodes
from loudspeaker.orders import models as _orders
from loudspeaker.places import models as _places
from loudspeaker.playbacks import models as _playbacks
from loudspeaker.programmes import models as _programmes
from loudspeaker.transparency import models as _transparency
from loudspeaker.trust import models as _trust
from loudspeaker.users import models as _users

MODELS = (_approvals, _audit, _broadcasts, _bulletins, _faults, _lease, _nodes, _orders, _places, _playbacks,
          _programmes, _transparency, _trust, _users)


def metadata() -> MetaData:
    """The tables as the models describe them."""
    return SQLModel.metadata
