"""Chromium, in which the tests look at the dashboard; it lives outside the folder, as bubblewrap does."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from scripts.steps import SetupError, run
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
    attempted = stamps / "chromium-attempted"  # without a network the attempt takes long: once is enough
    if not find("apt-get") or attempted.exists():
        return NOTE
    stamps.mkdir(parents=True, exist_ok=True)
    attempted.touch()
    announce("  chromium ... ")
    rights = [] if os.geteuid() == 0 else ["sudo", "-n"]
    apt = [*rights, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
    try:
        execute(*apt, "update", advice=NOTE)
        execute(*apt, "install", "--no-install-recommends", *PACKAGES, advice=NOTE)
    except SetupError:
        announce("not possible here\n")
        return NOTE
    announce("installed\n")
    return None
