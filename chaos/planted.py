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
    Mutant("let a token be used by a second key", "loudspeaker/nodes/enrolment.py",
           "        if found.used_key != public_key or now >= found.used_at + AGAIN:\n", "        if False:\n",
           ("tests/loudspeaker/nodes/test_enrolment.py::test_a_token_is_good_for_one_controller",)),
    Mutant("leave cut-off poles at the broker", "loudspeaker/conductor/rights.py",
           'col(Node.retired_at).is_(None), col(Node.revoked_at).is_(None), Node.public_key != "")',
           'col(Node.retired_at).is_(None), Node.public_key != "")',
           ("tests/loudspeaker/nodes/test_enrolment.py::"
            "test_who_is_cut_off_is_out_at_once_and_its_key_helps_no_more",)),
    Mutant("enrol without comparing the authority", "firmware_bridge/node/enrol.py",
           "short_hash(found[0].public_bytes(Encoding.DER)) != token.authority:\n", "False:\n",
           ("tests/firmware_bridge/node/test_enrol.py::test_another_authority_learns_nothing",)),
    Mutant("take a copied controller for a late word", "loudspeaker/conductor/clones.py",
           "    return bool(hello.connection <= highest and at.timestamp() - since <= STRAGGLES_S)\n",
           "    return True\n",
           ("tests/loudspeaker/conductor/test_clones.py",)),
    Mutant("let one node fill the inbox", "firmware_bridge/bridge/inbox.py",
           "            if not self._share.allows(sender, now):\n", "            if False:\n",
           ("tests/firmware_bridge/bridge/test_inbox.py::"
            "test_a_flooding_node_loses_its_own_messages_and_nobody_elses",)),
    Mutant("let Mosquitto's users publish anywhere", "firmware_bridge/bridge/broker/dynsec.py",
           'DENIED = {"publishClientSend": False', 'DENIED = {"publishClientSend": True',
           ("tests/contract_suites/test_rights_matrix.py::"
            "test_no_node_hears_or_says_what_is_not_its_own[mosquitto]",)),
    Mutant("speak at one of several brokers only", "firmware_bridge/bridge/links.py",
           "                taken = True\n", "                return\n",
           ("tests/firmware_bridge/bridge/test_server.py::"
            "test_what_is_said_goes_to_every_broker_and_one_away_is_named",)),
    Mutant("skip fsync", "firmware_bridge/node/kept.py",
           '        connection.execute("PRAGMA synchronous=FULL")\n',
           '        connection.execute("PRAGMA synchronous=OFF")\n',
           ("tests/firmware_bridge/node/test_ledger.py::test_what_was_committed_survives_a_power_cut",)),
    Mutant("replay after a crash", "firmware_bridge/node/boot.py",
           "        if fate.state is FateState.STARTED:\n", "        if False:\n",
           ("tests/firmware_bridge/node/test_agent_survives.py",)),
    Mutant("reuse the numbers of a journal that was put back", "firmware_bridge/node/journal.py",
           "        if main is not None and Stand.of(kept).commits > Stand.of(values(main)).commits:\n",
           "        if False:\n", ("tests/firmware_bridge/node/test_journal_damage.py",)),
    Mutant("trust the wall clock backwards", "firmware_bridge/node/timekeeping.py",
           "        if error_s is None or behind or self.is_too_early(moment.wall):\n",
           "        if error_s is None:\n", ("tests/firmware_bridge/node/test_timekeeping.py",)),
    Mutant("believe a lying system clock over the signed time", "firmware_bridge/node/timekeeping.py",
           "        if system.error_s <= error_s and not contradicted:\n",
           "        if system.error_s <= error_s:\n", ("tests/firmware_bridge/node/test_timekeeping.py",)),
    Mutant("lose a broadcast to an order in its last second", "firmware_bridge/node/directing.py",
           "*_armed(turn, air), ", "", ("tests/firmware_bridge/node/test_agent_survives.py",)),
    Mutant("forget what a full disk refuses", "firmware_bridge/node/ledger.py",
           '            self.trouble = f"not on the disk: {error}"\n',
           '            self.trouble = f"not on the disk: {error}"\n            self._waiting.clear()\n',
           ("tests/firmware_bridge/node/test_ledger.py",)),
)
