"""Look every locked package up in a database of known vulnerabilities: `make audit`.

pip-audit ends well and says that no vulnerabilities are known also when it could not look. So its word is not taken: it
is asked first about a package that is known to be vulnerable, and a package that it passed over was not looked up. Nor
may it answer from what it has kept of an earlier look.

Exit statuses: 0 nothing is known against any package, 1 something is, 3 it could not be looked up.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.setup import STAMPS, alone, checks_step
from scripts.steps import ROOT, SetupError, perform, reason_in

LOCKS = ("requirements.txt", "requirements-dev.txt")
CANARY = "jinja2==2.10"  # CVE-2019-10906, a way out of its sandbox
CLEAN, VULNERABLE, NOT_LOOKED_UP = 0, 1, 3

Run = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]
Dependency = Mapping[str, Any]


class NotLookedUpError(Exception):
    """Nothing can be said; the message is one line."""


def audit(run: Run) -> int:
    """Look the packages up and tell of each that something is known against.

    Args:
        run: runs pip-audit with some options.

    Returns:
        The exit status.

    Raises:
        NotLookedUpError: The database cannot be reached, or does not know every package.
    """
    with tempfile.TemporaryDirectory() as scratch:
        kept, canary = f"--cache-dir={scratch}/kept", Path(scratch) / "requirements.txt"
        canary.write_text(f"{CANARY}\n")
        found = _look_up(run, kept, "--no-deps", f"--requirement={canary}")
        if not any(dependency.get("vulns") for dependency in found):
            raise NotLookedUpError(f"no database of vulnerabilities can be reached: nothing was said against {CANARY}")
        dependencies = _look_up(run, kept, "--require-hashes", *(f"--requirement={ROOT / lock}" for lock in LOCKS))
    vulnerable = [dependency for dependency in dependencies if dependency.get("vulns")]
    passed_over = [str(dependency["name"]) for dependency in dependencies if "skip_reason" in dependency]
    for dependency in vulnerable:
        print(_told(dependency))
    if vulnerable:
        if passed_over:
            print(f"Not looked up: {', '.join(passed_over)}")
        return VULNERABLE
    if passed_over or not dependencies:
        raise NotLookedUpError(f"these were not looked up: {', '.join(passed_over) or 'all'}")
    named = f"{len(dependencies)} packages that {' and '.join(LOCKS)} name for this system"
    print(f"Nothing is known against any of the {named}.")
    return CLEAN


def main() -> int:
    """Install pip-audit if it is not there, and look the packages up."""
    step = checks_step()
    program = step.result.with_name("pip-audit")

    def run(options: Sequence[str]) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [program, *options], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )

    try:
        with alone():
            perform(step, STAMPS, lambda text: print(text, end="", flush=True))
        return audit(run)
    except (SetupError, NotLookedUpError) as error:
        sys.stderr.write(f"audit: {error}.\n")
        return NOT_LOOKED_UP
    except KeyboardInterrupt:
        return 130


def _look_up(run: Run, *options: str) -> list[Dependency]:
    done = run(["--disable-pip", "--format=json", "--desc=off", "--progress-spinner=off", *options])
    try:
        dependencies: list[Dependency] = json.loads(done.stdout)["dependencies"]
    except ValueError:
        raise NotLookedUpError(f"pip-audit failed: {reason_in(done.stderr)}") from None
    return dependencies


def _told(dependency: Dependency) -> str:
    found = []
    for vulnerability in dependency["vulns"]:
        mended = ", ".join(vulnerability["fix_versions"]) or "no version"
        found.append(f"{vulnerability['id']} (mended in {mended})")
    return f"{dependency['name']} {dependency['version']}: {'; '.join(found)}"


if __name__ == "__main__":
    sys.exit(main())
