"""How a session's code is kept away from the host: the command lines that confine it.

Inside, code finds a file system with the interpreter, `/mnt/data` and `/tmp`, no network, process ids and a host name
of its own, and no capabilities. It dies with the pool, however the pool ends. Three ways to get there, strongest
first: bubblewrap; util-linux's `unshare` with a root built by hand; limits alone, where the system allows no more.

Building command lines is pure; only `choose_sandbox` looks at the host.
"""

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from infra.local.pool.errors import StartError

ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin",
    "HOME": "/tmp",  # noqa: S108 -- private to the sandbox
    "USER": "session",
    "LANG": "C.UTF-8",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "OPENBLAS_NUM_THREADS": "2",  # each thread reserves address space, which is limited
}
_RUN = "/run/session"
_DATA = "/mnt/data"
_TEMPORARY_BYTES = 256 * 1024**2
_ROOT_ENTRIES = ("/bin", "/sbin", "/lib", "/lib32", "/lib64")
_ESSENTIALS = ("/etc/alternatives", "/etc/ld.so.cache", "/etc/localtime", "/etc/fonts")
_DEVICES = ("null", "zero", "full", "random", "urandom")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one process of a session may use at most."""

    memory_bytes: int
    file_bytes: int
    processes: int

    def command(self, *, with_processes: bool) -> list[str]:
        """Return the prefix that sets the limits.

        Outside a user namespace the limit on processes would count all that the user runs, so it can be left out.
        """
        limits = [f"--as={self.memory_bytes}", f"--fsize={self.file_bytes}", "--core=0"]
        return ["prlimit", *limits, *([f"--nproc={self.processes}"] if with_processes else []), "--"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What of the host's file system has to be seen inside.

    Attributes:
        links: links at the root and where they lead, as on systems with a merged `/usr`.
        folders: folders and files to show, read-only.
    """

    links: tuple[tuple[str, str], ...]
    folders: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The folders of one kernel on the host, and the name that it sees itself under."""

    run: Path
    data: Path
    hostname: str


class Sandbox(Protocol):
    """A way to confine a program."""

    @property
    def name(self) -> str:
        """Return what the pool calls it."""
        ...

    def run_folder(self, place: Place, /) -> Path:
        """Return where the program finds `place.run`."""
        ...

    def command(self, place: Place, program: Sequence[str]) -> list[str]:
        """Return the command line that runs `program` in the data folder of `place`."""
        ...


@dataclass(frozen=True, slots=True)
class Bubblewrap:
    """Confines with bubblewrap, as root and as an ordinary user."""

    host: Host
    limits: Limits
    name: str = "bubblewrap"

    def run_folder(self, _place: Place) -> Path:
        """See `Sandbox`."""
        return Path(_RUN)

    def command(self, place: Place, program: Sequence[str]) -> list[str]:
        """See `Sandbox`."""
        shown = [part for folder in self.host.folders for part in ("--ro-bind", folder, folder)]
        links = [part for link, target in self.host.links for part in ("--symlink", target, link)]
        return [
            *("bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--hostname", place.hostname),
            *("--uid", "1000", "--gid", "1000", "--cap-drop", "ALL"),
            # First of all, since the interpreter may itself live below `/tmp`.
            *("--proc", "/proc", "--dev", "/dev", "--size", str(_TEMPORARY_BYTES), "--tmpfs", "/tmp"),  # noqa: S108
            *shown,
            *links,
            *("--bind", str(place.run), _RUN, "--bind", str(place.data), _DATA, "--chdir", _DATA),
            "--",
            *self.limits.command(with_processes=True),
            *program,
        ]


@dataclass(frozen=True, slots=True)
class Unshare:
    """Confines with `unshare`: a script builds the new root, enters it and gives up every capability."""

    host: Host
    limits: Limits
    name: str = "unshare"

    def run_folder(self, _place: Place) -> Path:
        """See `Sandbox`."""
        return Path(_RUN)

    def command(self, place: Place, program: Sequence[str]) -> list[str]:
        """See `Sandbox`."""
        return [
            *("unshare", "--user", "--map-root-user", "--"),
            # A change of user namespace forgets the death signal, so it is asked for in between.
            *("setpriv", "--pdeathsig", "KILL"),
            *("unshare", "--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "--kill-child=KILL", "--"),
            *("sh", "-euc", self._script(place), "sandbox"),
            *("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all"),
            *("--no-new-privs", "--pdeathsig", "KILL", "--"),
            *self.limits.command(with_processes=True),
            *program,
        ]

    def _script(self, place: Place) -> str:
        root = shlex.quote(str(place.run / "root"))
        shown = " ".join(shlex.quote(folder) for folder in self.host.folders)
        links = "".join(f"ln -s {shlex.quote(target)} .{shlex.quote(link)}\n" for link, target in self.host.links)
        return f"""
hostname {shlex.quote(place.hostname)}
mkdir -p {root}
mount -t tmpfs -o mode=755 tmpfs {root}
cd {root}
show() {{
    if [ -d "$1" ]; then mkdir -p ".$2"; else mkdir -p "$(dirname ".$2")"; : > ".$2"; fi
    mount --rbind "$1" ".$2"
}}
mkdir tmp
mount -t tmpfs -o size={_TEMPORARY_BYTES},mode=1777 tmpfs tmp
for folder in {shown}; do
    show "$folder" "$folder"
    mount -o remount,bind,ro ".$folder" 2>/dev/null || mount -o remount,bind,ro,nosuid,nodev ".$folder"
done
{links}
for device in {" ".join(_DEVICES)}; do show /dev/$device /dev/$device; done
ln -s /proc/self/fd dev/fd
ln -s pts/ptmx dev/ptmx
mkdir -p proc dev/shm dev/pts old
mount -t proc proc proc
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
show {shlex.quote(str(place.data))} {_DATA}
show {shlex.quote(str(place.run))} {_RUN}
pivot_root . old
umount -l /old
rmdir /old
cd {_DATA}
exec "$@"
"""


@dataclass(frozen=True, slots=True)
class Unconfined:
    """Confines nothing: the code can read and do what the pool's own user can.

    What it starts in a process group of its own, as a shell session does with its commands, outlives it.
    """

    limits: Limits
    name: str = "none"

    def run_folder(self, place: Place) -> Path:
        """See `Sandbox`."""
        return place.run

    def command(self, place: Place, program: Sequence[str]) -> list[str]:
        """See `Sandbox`."""
        return [
            *("setpriv", "--pdeathsig", "KILL", "--"),
            *("env", "-C", str(place.data), "--"),
            *self.limits.command(with_processes=False),
            *program,
        ]


def look_at_host(folders: Sequence[Path]) -> Host:
    """Find out what a program needs to see of this host besides `folders`."""
    entries = [entry for entry in _ROOT_ENTRIES if os.path.lexists(entry)]
    links = tuple((entry, str(Path(entry).readlink())) for entry in entries if Path(entry).is_symlink())
    shown = ["/usr", *(entry for entry in entries if not Path(entry).is_symlink())]
    essentials = [path for path in _ESSENTIALS if Path(path).exists()]
    return Host(links=links, folders=(*shown, *essentials, *map(str, folders)))


def choose_sandbox(wanted: str, *, host: Host, limits: Limits, trial: Place) -> Sandbox:
    """Take the sandbox asked for, or with `auto` the strongest one that can start a program here.

    Args:
        wanted: `auto`, or the name of a sandbox.
        host: what the sandbox shows of the host.
        limits: what processes inside may use.
        trial: folders in which the candidates are tried.

    Raises:
        StartError: the sandbox asked for does not work here.
    """
    candidates: list[Sandbox] = [Bubblewrap(host, limits), Unshare(host, limits), Unconfined(limits)]
    for candidate in candidates:
        if wanted in ("auto", candidate.name) and _works(candidate, trial):
            return candidate
    raise StartError(f"the sandbox {wanted!r} does not work here: install bubblewrap, or choose another")


def _works(sandbox: Sandbox, trial: Place) -> bool:
    command = sandbox.command(trial, ["/usr/bin/env", "true"])
    if shutil.which(command[0], path=ENVIRONMENT["PATH"]) is None:
        return False
    return subprocess.run(command, env=ENVIRONMENT, capture_output=True, timeout=30, check=False).returncode == 0
