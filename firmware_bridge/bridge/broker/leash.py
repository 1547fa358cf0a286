"""Runs a program that dies with its parent: `python leash.py PARENT_PID program argument…`.

A file of its own, run by path, because code between fork and exec of a threaded process may deadlock. Linux ties the
program to the parent's *thread*; elsewhere the next start ends what a killed parent left behind.
"""

import ctypes
import os
import resource
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(parent: int, command: list[str]) -> None:
    """Become `command`; end at once if `parent` is already gone."""
    os.umask(0o077)
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most_files != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))
    os.execvp(command[0], command)  # noqa: S606 - the point of this file


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
