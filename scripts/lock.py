"""Compile the lock files, and tell without a network whether they are fresh.

Each lock file of Python packages starts with a line that holds a digest over what it was compiled from and over the
rest of the file. So a changed dependency, a hand-edited pin and a lock of another source are all found by hashing
alone. A lock file of npm packages repeats the dependencies that it was made from.
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
        root / "benchmarks/streaming/requirements.in",
        root / "tests/tools/checks/requirements.in",
        *sorted(root.glob("tests/clients/*/requirements.in")),
    ):
        yield Lock(source.with_suffix(".txt"), source.read_text, (str(source.relative_to(root)),))
    validator = root / "tests/tools/focus/requirements.in"
    overrides = validator.with_name("overrides.txt")
    yield Lock(
        validator.with_suffix(".txt"),
        lambda: validator.read_text() + overrides.read_text(),
        (str(validator.relative_to(root)), "--override", str(overrides.relative_to(root))),
    )


@dataclass(frozen=True)
class PackageLock:
    """The lock file of a folder with npm packages."""

    path: Path

    def is_fresh(self) -> bool:
        """Say whether the file is there, was made from the present dependencies, and names no registry."""
        if not self.path.exists():
            return False
        packages = json.loads(self.path.read_text())["packages"]
        wanted = json.loads(self.path.with_name("package.json").read_text())["dependencies"]
        return packages[""].get("dependencies") == wanted and not any(
            "resolved" in entry for entry in packages.values()
        )

    def compile(self, npm: str) -> None:
        """Resolve anew, keeping the versions that still fit.

        Raises:
            SetupError: The packages contradict each other, or the network is not there.
        """
        options = ["--package-lock-only", "--omit-lockfile-registry-resolved", "--no-audit", "--no-fund"]
        options += ["--loglevel=error", "--prefix", str(self.path.parent)]
        run(npm, "install", *options, advice=toolchain.NETWORK_ADVICE)


def package_locks(root: Path = ROOT) -> Iterator[PackageLock]:
    """List the lock files of npm packages."""
    for source in (root / "infra/local/azurite/package.json", *sorted(root.glob("tests/clients/*/package.json"))):
        yield PackageLock(source.with_name("package-lock.json"))


def main() -> int:
    """Compile every lock file, or with `--check` name those that are stale; the exit status is 1 if any is."""
    parser = argparse.ArgumentParser(prog="python -m scripts.lock", description="Compile the lock files.")
    parser.add_argument("--check", action="store_true", help="only tell which are stale; needs no network")
    if parser.parse_args().check:
        all_locks: list[Lock | PackageLock] = [*locks(), *package_locks()]
        stale = [str(lock.path.relative_to(ROOT)) for lock in all_locks if not lock.is_fresh()]
        if stale:
            sys.stderr.write(f"lock: stale: {', '.join(stale)}. Run: make lock\n")
        return 1 if stale else 0
    try:
        uv = toolchain.uv()
        for lock in locks():
            print(f"  {lock.path.relative_to(ROOT)}", flush=True)
            lock.compile(uv)
        npm = toolchain.node_package_manager()
        for packages in package_locks():
            print(f"  {packages.path.relative_to(ROOT)}", flush=True)
            packages.compile(npm)
    except SetupError as error:
        sys.stderr.write(f"lock: {error}.\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
