"""What the install script puts on a machine fits together, and locks the service in."""

import configparser
import re
import subprocess
from pathlib import Path

from firmware_bridge.node import slots

PACKAGING = Path(slots.__file__).parent / "packaging"
SCRIPT = Path(__file__).parents[3] / "scripts" / "install-node"


def unit() -> configparser.ConfigParser:
    read = configparser.ConfigParser(strict=False, interpolation=None)
    read.optionxform = str  # type: ignore[assignment,method-assign]
    read.read(PACKAGING / "loudspeaker-node.service")
    return read


def test_scripts_are_plain_shell() -> None:
    for script in (SCRIPT, PACKAGING / "launch"):
        subprocess.run(["sh", "-n", str(script)], check=True)
        assert script.read_text().startswith("#!/bin/sh\n")


def test_the_service_comes_back_whatever_ended_it_and_is_watched() -> None:
    service = unit()["Service"]
    assert service["Restart"] == "always"
    assert int(service["WatchdogSec"]) >= 30
    assert service["Type"] == "notify"
    assert service["NotifyAccess"] == "all"
    assert unit()["Unit"]["StartLimitIntervalSec"] == "0"


def test_the_amplifier_is_driven_off_behind_the_program() -> None:
    assert unit()["Service"]["ExecStopPost"].endswith("loudspeaker-node amplifier-off")


def test_the_service_has_no_rights_that_it_does_not_need() -> None:
    service = unit()["Service"]
    for name in ("NoNewPrivileges", "ProtectHome", "PrivateTmp", "ProtectKernelModules", "RestrictNamespaces"):
        assert service[name] == "yes", name
    assert service["ProtectSystem"] == "strict"
    assert service["CapabilityBoundingSet"] == ""
    assert service["User"] == "loudspeaker-node"


def test_the_service_may_ask_the_kernel_how_true_the_clock_is_but_not_set_it() -> None:
    service = unit()["Service"]
    assert "adjtimex" in service["SystemCallFilter"].split()
    assert "CAP_SYS_TIME" not in service["CapabilityBoundingSet"]


def test_the_script_and_the_service_speak_of_the_same_folders() -> None:
    script, service = SCRIPT.read_text(), unit()["Service"]
    home, etc = (re.findall(rf"^{name}=(\S+)$", script, re.M)[0] for name in ("home", "etc"))
    assert service["ExecStart"].startswith(f"{home}/launch run --config {etc}/node.json --data /var/lib/")
    assert service["ReadWritePaths"].split() == [home, etc]
    for file in PACKAGING.iterdir():
        assert f"$parts/{file.name}" in script
