"""Programs that live outside the folder: installed with the system's package manager where that needs no password."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from scripts.steps import SetupError


def installed_or_note(
    packages: Sequence[str],
    note: str,
    *,
    stamps: Path,
    announce: Callable[[str], None],
    find: Callable[[str], str | None],
    execute: Callable[..., str],
) -> str | None:
    """Try once to install Debian's packages, of which the first gives the attempt its name; a failure is none of ours.

    Returns:
        None once they are installed, otherwise the note, for whoever sets up.
    """
    name = packages[0]
    attempted = stamps / f"{name}-attempted"  # without a network the attempt takes long: once is enough
    if not find("apt-get") or attempted.exists():
        return note
    stamps.mkdir(parents=True, exist_ok=True)
    attempted.touch()
    announce(f"  {name} ... ")
    rights = [] if os.geteuid() == 0 else ["sudo", "-n"]
    apt = [*rights, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
    try:
        execute(*apt, "update", advice=note)
        execute(*apt, "install", "--no-install-recommends", *packages, advice=note)
    except SetupError:
        announce("not possible here\n")
        return note
    announce("installed\n")
    return None
