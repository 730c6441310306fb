"""Compile the lock files, and tell without a network whether they are fresh.

Each lock file starts with a line that holds a digest over what it was compiled from and over the rest of the file. So
a changed dependency, a hand-edited pin and a lock of another source are all found by hashing alone.
"""

import argparse
import hashlib
import json
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts import toolchain
from scripts.steps import ROOT, SetupError, run

HEADER = '# Made by "make lock"; digest of its inputs and of what follows: '


@dataclass(frozen=True)
class Lock:
    """One lock file: `source` gives what it depends on as text, `arguments` are those of `uv pip compile`."""

    path: Path
    source: Callable[[], str]
    arguments: tuple[str, ...]

    def seal(self, body: str) -> str:
        """Put the line with the digest before a compiled body."""
        digest = hashlib.sha256(f"{self.source()}\n\n{body}".encode()).hexdigest()
        return f"{HEADER}{digest}\n{body}"

    def is_fresh(self) -> bool:
        """Say whether the file is there, untouched, and compiled from the present inputs."""
        if not self.path.exists():
            return False
        text = self.path.read_text()
        return text == self.seal(text.partition("\n")[2])

    def compile(self, uv: Path) -> None:
        """Resolve anew, keeping the pins that still fit.

        Raises:
            SetupError: The requirements contradict each other, or the network is not there.
        """
        options = ["--universal", "--python-version", "3.13", "--generate-hashes", "--no-header"]
        with tempfile.TemporaryDirectory() as scratch:
            output = Path(scratch) / self.path.name
            if self.path.exists():
                output.write_bytes(self.path.read_bytes())
            options += ["--no-emit-index-url", "--quiet", "--output-file", str(output), *self.arguments]
            run(uv, "pip", "compile", *options, advice="Check the requirements and the network connection")
            self.path.write_text(self.seal(output.read_text()))


def locks(root: Path = ROOT) -> Iterator[Lock]:
    """List the lock files in the order in which they have to be compiled."""
    development = root / "requirements-dev.txt"

    def project(*tables: str) -> str:
        parsed = tomllib.loads((root / "pyproject.toml").read_text())
        wanted = {"requires-python": parsed["project"]["requires-python"], "project": parsed["project"]["dependencies"]}
        return json.dumps(wanted | {table: parsed[table] for table in tables}, sort_keys=True)

    yield Lock(development, lambda: project("dependency-groups"), ("pyproject.toml", "--group", "dev"))
    yield Lock(
        root / "requirements.txt",
        lambda: project() + development.read_text(),
        ("pyproject.toml", "--constraint", development.name),
    )
    for source in (
        root / "infra/local/session-requirements.in",
        root / "scripts/uv-requirements.in",
        *sorted(root.glob("tests/clients/*/requirements.in")),
    ):
        yield Lock(source.with_suffix(".txt"), source.read_text, (str(source.relative_to(root)),))


def main() -> int:
    """Compile every lock file, or with `--check` name those that are stale; the exit status is 1 if any is."""
    parser = argparse.ArgumentParser(prog="python -m scripts.lock", description="Compile the lock files.")
    parser.add_argument("--check", action="store_true", help="only tell which are stale; needs no network")
    if parser.parse_args().check:
        stale = [str(lock.path.relative_to(ROOT)) for lock in locks() if not lock.is_fresh()]
        if stale:
            sys.stderr.write(f"lock: stale: {', '.join(stale)}. Run: make lock\n")
        return 1 if stale else 0
    try:
        uv = toolchain.uv()
        for lock in locks():
            print(f"  {lock.path.relative_to(ROOT)}", flush=True)
            lock.compile(uv)
        print("  infra/local/azurite/package-lock.json", flush=True)
        options = ["--package-lock-only", "--omit-lockfile-registry-resolved", "--no-audit", "--no-fund"]
        options += ["--loglevel=error", "--prefix", str(ROOT / "infra/local/azurite")]
        run(toolchain.node_package_manager(), "install", *options, advice=toolchain.NETWORK_ADVICE)
    except SetupError as error:
        sys.stderr.write(f"lock: {error}.\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
