"""What the first page shows, as JSON."""

from zoneinfo import ZoneInfo

from fastapi import APIRouter

from loudspeaker.api.broadcasts import BroadcastOut
from loudspeaker.api.commands import StopOut
from loudspeaker.api.deps import CurrentActor, HouseDep, Now, Reading
from loudspeaker.api.schemas import Instant, Out
from loudspeaker.conductor import today as conductor

router = APIRouter(prefix="/api/v1/today", tags=["today"])


class OnAirOut(Out):
    """A broadcast that nodes say they are playing; `progress` is 0…1."""

    broadcast: BroadcastOut
    nodes: list[str]
    progress: float


class NodeCountsOut(Out):
    """Nodes in service."""

    total: int
    online: int
    playing: int


class DeliveryOut(Out):
    """Nodes that hold their newest order, and until when all of those are provided."""

    delivered: int
    total: int
    provided_until: Instant | None


class GridNodeOut(Out):
    """A line of the grid."""

    id: str
    name: str
    place: str
    online: bool
    playing: str | None


class GridOut(Out):
    """Today's broadcasts and nodes; `cells` is node id → broadcast id → state."""

    broadcasts: list[BroadcastOut]
    nodes: list[GridNodeOut]
    cells: dict[str, dict[str, str]]
    more_nodes: int


class TodayOut(Out):
    """Everything of the first page."""

    now: Instant
    on_air: list[OnAirOut]
    next_up: list[BroadcastOut]
    nodes: NodeCountsOut
    approvals_waiting: int
    open_faults: int
    stops: list[StopOut]
    delivery: DeliveryOut
    clock_offset_ms: float | None
    grid: GridOut


@router.get("")
def show(actor: CurrentActor, session: Reading, now: Now, house: HouseDep) -> TodayOut:
    """What this person sees now."""
    found = conductor.today(session, actor, now, ZoneInfo(house.settings.zone))
    cells: dict[str, dict[str, str]] = {}
    for (node, broadcast), state in found.grid.cells.items():
        cells.setdefault(node, {})[broadcast] = state
    grid = GridOut(broadcasts=[BroadcastOut.model_validate(one) for one in found.grid.broadcasts],
                   nodes=[GridNodeOut.model_validate(one) for one in found.grid.nodes], cells=cells,
                   more_nodes=found.grid.more_nodes)
    return TodayOut(
        now=found.now, on_air=[OnAirOut.model_validate(one) for one in found.on_air],
        next_up=[BroadcastOut.model_validate(one) for one in found.next_up],
        nodes=NodeCountsOut.model_validate(found.nodes), approvals_waiting=found.approvals_waiting,
        open_faults=found.open_faults, stops=[StopOut.model_validate(one) for one in found.stops],
        delivery=DeliveryOut.model_validate(found.delivery), clock_offset_ms=found.clock_offset_ms, grid=grid)
