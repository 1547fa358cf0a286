"""The bugs that `make chaos ARGS=--mutants` plants, each with the check that must go red."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """One bug: in `file`, `line` (found once) becomes `planted`; at least one of `checks` (pytest ids) must fail."""

    name: str
    file: str
    line: str
    planted: str
    checks: tuple[str, ...]


MUTANTS: tuple[Mutant, ...] = (
    Mutant("skip the version check of orders", "firmware_bridge/contract/trust.py",
           "    if (order.epoch, order.version) <= held:\n", "    if False:\n",
           ("tests/firmware_bridge/contract/test_trust.py",)),
    Mutant("accept what has expired", "firmware_bridge/contract/trust.py",
           "    if now >= expires:\n", "    if False:\n", ("tests/firmware_bridge/contract/test_trust.py",)),
    Mutant("count the author's own approval", "firmware_bridge/contract/trust.py",
           "        owners.discard(statement.author)\n", "        pass\n",
           ("tests/firmware_bridge/contract/test_trust.py",)),
    Mutant("skip revocation of keys", "firmware_bridge/contract/trust.py",
           "    unrevoked = [listed[one] for one in good if one not in trust.approvers.revoked]\n",
           "    unrevoked = [listed[one] for one in good]\n", ("tests/firmware_bridge/contract/test_trust.py",)),
)
