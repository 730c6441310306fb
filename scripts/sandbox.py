"""Bubblewrap, the strongest sandbox that the local session pool knows; it lives outside the folder."""

import shutil
from collections.abc import Callable
from pathlib import Path

from scripts.apt import installed_or_note
from scripts.steps import run

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
    return installed_or_note(["bubblewrap"], NOTE, stamps=stamps, announce=announce, find=find, execute=execute)
