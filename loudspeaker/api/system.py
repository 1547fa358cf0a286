"""Whether the server works, for machines that watch it."""

import shutil

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from sqlalchemy import func, text
from sqlmodel import Session, col, select

from loudspeaker.api.deps import HouseDep, Reading
from loudspeaker.conductor.house import House
from loudspeaker.faults.models import Fault, FaultState
from loudspeaker.nodes.models import Node, NodeState
from loudspeaker.playbacks.models import Playback

router = APIRouter(tags=["system"])

LOCAL = frozenset({"127.0.0.1", "::1", "testclient"})


@router.get("/healthz")
def healthy(house: HouseDep, session: Reading) -> JSONResponse:
    """200 while database and broker work, else 503; names the part that does not."""
    session.connection().execute(text("SELECT 1"))
    broker = house.broker is None or house.broker.healthy()
    return JSONResponse({"database": True, "broker": broker}, 200 if broker else 503)


@router.get("/metrics", include_in_schema=False)
def metrics(request: Request, house: HouseDep, session: Reading) -> Response:
    """Prometheus figures; only for this machine, since the pages need no sign-in here."""
    if request.client is None or request.client.host not in LOCAL:
        return Response(status_code=404)
    return Response(generate_latest(_registry(house, session)), media_type=CONTENT_TYPE_LATEST)


def _registry(house: House, session: Session) -> CollectorRegistry:
    registry = CollectorRegistry()

    def gauge(name: str, what: str, value: float) -> None:
        Gauge(name, what, registry=registry).set(value)

    in_service = select(func.count()).select_from(Node).where(col(Node.retired_at).is_(None))
    gauge("loudspeaker_nodes", "Nodes in service", session.exec(in_service).one())
    gauge("loudspeaker_nodes_online", "Nodes in service that are online", session.exec(
        in_service.join(NodeState, col(NodeState.node_id) == col(Node.id)).where(col(NodeState.online))).one())
    playbacks = Gauge("loudspeaker_playbacks", "As-run log by state", ["state"], registry=registry)
    for state, count in session.exec(select(Playback.state, func.count()).group_by(col(Playback.state))):
        playbacks.labels(state=state).set(count)
    gauge("loudspeaker_open_faults", "Faults not closed", session.exec(
        select(func.count()).select_from(Fault).where(Fault.state != FaultState.CLOSED)).one())
    gauge("loudspeaker_broker_up", "The broker works", float(house.broker is not None and house.broker.healthy()))
    if house.bridge is not None:
        gauge("loudspeaker_messages_waiting", "Messages of nodes not read yet", house.bridge.inbox.depth)
        gauge("loudspeaker_messages_dropped", "Messages dropped since the start", house.bridge.inbox.lost)
        refused = Gauge("loudspeaker_messages_refused", "Messages that meant nothing", ["why"], registry=registry)
        for why, count in house.bridge.inbox.complaints.counts.items():
            refused.labels(why=why).set(count)
    gauge("loudspeaker_disk_free_bytes", "Free space for data", shutil.disk_usage(house.settings.data).free)
    return registry
