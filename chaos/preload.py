"""Between a program and its disk: fsync that fails on demand, and a copy of what a power cut would leave."""

import os
import shutil
import subprocess
from pathlib import Path

SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fails(void) {
    const char *flag = getenv("SYNC_FAILS_WHILE");
    return flag && access(flag, F_OK) == 0;
}

static void keep_image(int file) {
    const char *folder = getenv("SYNCED_INTO");
    char link[64], path[PATH_MAX], made[PATH_MAX], done[PATH_MAX], block[65536];
    if (!folder) return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return;
    path[length] = 0;
    const char *name = strrchr(path, '/') + 1;
    snprintf(made, sizeof made, "%s/%s.made", folder, name);
    snprintf(done, sizeof done, "%s/%s", folder, name);
    int image = open(made, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    off_t at = 0;
    ssize_t got;
    while ((got = pread(file, block, sizeof block, at)) > 0) {
        if (write(image, block, got) != got) break;
        at += got;
    }
    close(image);
    rename(made, done);
}

static int synced(int file) {
    if (fails()) { errno = EIO; return -1; }
    keep_image(file);
    return 0;
}

int fsync(int file) { return synced(file); }
int fdatasync(int file) { return synced(file); }
"""
"""The real fsync is not needed: what a kill leaves in the page cache is there, what a cut leaves is in the images."""


class NoCompiler(RuntimeError):
    """There is no C compiler."""


def between(folder: Path, *, fails_while: Path | None = None, synced_into: Path | None = None) -> dict[str, str]:
    """The environment of a program whose every fsync passes here. Raises NoCompiler.

    While the file `fails_while` exists, fsync fails with EIO. `synced_into` gets each file as of its last fsync.
    """
    compiler = shutil.which("cc")
    if compiler is None:
        raise NoCompiler("cc is missing: apt-get install gcc libc6-dev")
    source, library = folder / "preload.c", folder / "preload.so"
    source.write_text(SOURCE)
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source)], check=True)
    more = {"LD_PRELOAD": str(library)}
    if fails_while is not None:
        more["SYNC_FAILS_WHILE"] = str(fails_while)
    if synced_into is not None:
        synced_into.mkdir(exist_ok=True)
        more["SYNCED_INTO"] = str(synced_into)
    return {**os.environ, **more}


def cut_power(live: Path, synced: Path) -> Path:
    """The folder as a power cut leaves it: every file that there is, as of its last fsync."""
    for image in synced.iterdir():
        if not (live / image.name).is_file():
            image.unlink()
    return synced
