"""Launcher that shuts itself in and then becomes the given program; a script that imports nothing of the package.

`python -I -S sandbox.py TERMS program arguments…`, TERMS being JSON with `memory_bytes`, `cpu_seconds`, `file_bytes`,
`parent` (process id) and `reads` and `writes`: the only paths it may then read, and the only folders it may write to.

It exists because `preexec_fn` is unsafe in a server with threads. What the platform lacks (macOS has no `prctl`, old
kernels no Landlock, some containers forbid namespaces) is left out: the guards in the arguments of ffmpeg do not
depend on it. Source of the numbers: the kernel's linux/landlock.h, sched.h and prctl.h.
"""

import ctypes
import json
import os
import resource
import signal
import struct
import sys

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
ASK_VERSION = 1
BENEATH = 1
BITS = (0, 1, 2, 3, 5, 8, 14)
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, REMOVE_FILE, MAKE_FILE, TRUNCATE = (1 << bit for bit in BITS)
READ = EXECUTE | READ_FILE | READ_DIR
WRITE = WRITE_FILE | READ_FILE | REMOVE_FILE | MAKE_FILE | TRUNCATE
FOR_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE
RIGHTS_OF_VERSION = {1: (1 << 13) - 1, 2: (1 << 14) - 1}  # from version 3 on: 15 rights
ALL_RIGHTS = (1 << 15) - 1
TCP_RIGHTS = 0b11
SYSTEM = ("/usr", "/lib", "/lib64", "/opt", "/nix/store", "/etc/ld.so.cache", "/dev/null", "/dev/urandom", "/proc/self")
PROGRAM_MISSING = 127


def main() -> None:
    """Apply the terms of argument 1 to this process, then replace it by the program of argument 2."""
    terms, program = json.loads(sys.argv[1]), sys.argv[2]
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != terms["parent"]:  # the parent died before the line above took effect
            sys.exit(1)
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        leave_network(libc)
        if terms["reads"] or terms["writes"]:
            shut_out_files(libc, [*SYSTEM, *home_of(program), *terms["reads"]], terms["writes"])
    lower(resource.RLIMIT_AS, terms["memory_bytes"])
    lower(resource.RLIMIT_CPU, terms["cpu_seconds"])
    lower(resource.RLIMIT_FSIZE, terms["file_bytes"])
    lower(resource.RLIMIT_CORE, 0)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write past the ceiling becomes an error ffmpeg can name
    try:
        os.execv(program, sys.argv[2:])  # noqa: S606 (the program is chosen by process.py)
    except OSError:
        sys.exit(PROGRAM_MISSING)


def leave_network(libc: ctypes.CDLL) -> None:
    """Enter an empty network, as root or as anybody."""
    if libc.unshare(CLONE_NEWNET) != 0:
        libc.unshare(CLONE_NEWUSER | CLONE_NEWNET)


def home_of(program: str) -> list[str]:
    """Where a program's own files are: its folder, and the libraries beside a `bin`."""
    folder = os.path.dirname(os.path.realpath(program))
    beside = [os.path.join(os.path.dirname(folder), "lib")] if os.path.basename(folder) == "bin" else []
    return [folder, *beside]


def shut_out_files(libc: ctypes.CDLL, reads: list[str], writes: list[str]) -> None:
    """Forbid by Landlock every file but these, and TCP, from here on."""
    version = libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), ASK_VERSION)
    if version < 1:
        return
    handled = RIGHTS_OF_VERSION.get(version, ALL_RIGHTS)
    attributes = struct.pack("QQ", handled, TCP_RIGHTS) if version >= 4 else struct.pack("Q", handled)
    rules = libc.syscall(CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    if rules < 0:
        return
    for path in reads:
        allow(libc, rules, path, READ & handled)
    for path in writes:
        allow(libc, rules, path, WRITE & handled)
    libc.syscall(RESTRICT_SELF, rules, 0)
    os.close(rules)


def allow(libc: ctypes.CDLL, rules: int, path: str, rights: int) -> None:
    """Add a path with all below it to what may be used."""
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    rights = rights if os.path.isdir(path) else rights & FOR_FILES
    libc.syscall(ADD_RULE, rules, BENEATH, struct.pack("=Qi", rights, opened), 0)
    os.close(opened)


def lower(which: int, ceiling: int) -> None:
    """Lower a resource limit for good."""
    _, hard = resource.getrlimit(which)
    if hard != resource.RLIM_INFINITY:
        ceiling = min(ceiling, hard)
    try:
        resource.setrlimit(which, (ceiling, ceiling))
    except (OSError, ValueError):  # macOS refuses RLIMIT_AS
        return


if __name__ == "__main__":
    main()
