"""Launcher that shuts itself in and then becomes the given program; a script that imports nothing of the package.

`python -I -S sandbox.py TERMS program arguments…`, TERMS being JSON with `memory_bytes`, `cpu_seconds`, `file_bytes`,
`parent` (process id) and `network` (whether it may have one).

It exists because `preexec_fn` is unsafe in a server with threads. What the platform lacks (macOS has no `prctl`, some
containers forbid namespaces) is left out: the guards in the arguments of ffmpeg do not depend on it.
"""

import ctypes
import json
import os
import resource
import signal
import sys

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38


def main() -> None:
    """Apply the limits of argument 1 to this process, then replace it by the program of argument 2."""
    terms = json.loads(sys.argv[1])
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != terms["parent"]:  # the parent died before the line above took effect
            sys.exit(1)
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        if not terms["network"] and libc.unshare(CLONE_NEWNET) != 0:
            libc.unshare(CLONE_NEWUSER | CLONE_NEWNET)
    for which, ceiling in (
        (resource.RLIMIT_AS, terms["memory_bytes"]),
        (resource.RLIMIT_CPU, terms["cpu_seconds"]),
        (resource.RLIMIT_FSIZE, terms["file_bytes"]),
        (resource.RLIMIT_CORE, 0),
    ):
        _lower(which, ceiling)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write past the ceiling becomes an error ffmpeg can name
    try:
        os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606 (the program is chosen by process.py)
    except FileNotFoundError:
        sys.exit(127)


def _lower(which: int, ceiling: int) -> None:
    _, hard = resource.getrlimit(which)
    if hard != resource.RLIM_INFINITY:
        ceiling = min(ceiling, hard)
    try:
        resource.setrlimit(which, (ceiling, ceiling))
    except (OSError, ValueError):  # macOS refuses RLIMIT_AS
        return


if __name__ == "__main__":
    main()
