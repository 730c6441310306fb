"""Bubblewrap, the strongest sandbox that the local session pool knows; the one tool that lives outside the folder."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from scripts.steps import SetupError, run

NOTE = "install bubblewrap with your system's package manager for the strongest sandbox around local sessions"


def bubblewrap_note(
    stamps: Path,
    announce: Callable[[str], None],
    find: Callable[[str], str | None] = shutil.which,
    execute: Callable[..., str] = run,
) -> str | None:
    """Install bubblewrap where that needs no password; where it cannot be had, say so, for that is no failure.

    Returns:
        None when it is there, otherwise a line for whoever sets up.
    """
    if find("bwrap"):
        return None
    attempted = stamps / "bubblewrap-attempted"  # without a network the attempt takes long: once is enough
    if not find("apt-get") or attempted.exists():
        return NOTE
    stamps.mkdir(parents=True, exist_ok=True)
    attempted.touch()
    announce("  bubblewrap ... ")
    rights = [] if os.geteuid() == 0 else ["sudo", "-n"]
    apt = [*rights, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
    try:
        execute(*apt, "update", advice=NOTE)
        execute(*apt, "install", "--no-install-recommends", "bubblewrap", advice=NOTE)
    except SetupError:
        announce("not possible here\n")
        return NOTE
    announce("installed\n")
    return None
