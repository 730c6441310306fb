"""Chromium, in which the tests look at the dashboard; it lives outside the folder, as bubblewrap does."""

import shutil
from collections.abc import Callable
from pathlib import Path

from scripts.apt import installed_or_note
from scripts.steps import run
from scripts.toolchain import output_of, version_in

NOTE = "install Chromium with your system's package manager (Debian: apt-get install chromium) to test the dashboard"
PACKAGES = ("chromium", "fonts-inter")  # a bare machine has no font, and pages without text
_NAMES = ("chromium", "chromium-browser", "google-chrome")


def chromium(find: Callable[[str], str | None] = shutil.which) -> Path | None:
    """Find a Chromium that runs: a distribution may have put a stub under its name that only talks of another one."""
    for name in _NAMES:
        found = find(name)
        if found and version_in(output_of(found, "--version")):
            return Path(found)
    return None


def browser_note(
    stamps: Path,
    announce: Callable[[str], None],
    find: Callable[[str], str | None] = shutil.which,
    execute: Callable[..., str] = run,
) -> str | None:
    """Install Chromium where that needs no password; where it cannot be had, say so, for that is no failure.

    Returns:
        None when it is there, otherwise a line for whoever sets up.
    """
    if chromium(find):
        return None
    return installed_or_note(PACKAGES, NOTE, stamps=stamps, announce=announce, find=find, execute=execute)
