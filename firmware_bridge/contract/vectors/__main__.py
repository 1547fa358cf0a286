"""`check` or `write` the test vectors."""

import sys

from firmware_bridge.contract.vectors.check import DATA, failures, write


def main(arguments: list[str]) -> int:
    """Exit code 1 when something does not hold, 2 when it was asked wrongly."""
    if arguments == ["write"]:
        write()
        return 0
    if arguments != ["check"]:
        sys.stderr.write("python -m firmware_bridge.contract.vectors check | write\n")
        return 2
    found = list(failures())
    sys.stdout.write("\n".join([*found, f"{DATA}: {len(found)} failures"]) + "\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
