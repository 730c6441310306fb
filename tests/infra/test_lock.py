"""Lock files: told to be stale without a network, whenever they are."""

import json
import shutil
from pathlib import Path

from scripts.lock import Lock, PackageLock, locks, package_locks
from scripts.steps import ROOT


def test_a_lock_is_stale_when_its_source_or_a_pin_changes(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    source = "example>=1"
    lock = Lock(path, lambda: source, ())
    assert not lock.is_fresh()
    path.write_text(lock.seal("example==1.0\n"))
    assert lock.is_fresh()

    source = "example>=2"
    assert not lock.is_fresh()

    source = "example>=1"
    path.write_text(path.read_text().replace("1.0", "1.1"))
    assert not lock.is_fresh()


def test_a_changed_setting_of_a_tool_leaves_the_locks_fresh_and_a_changed_dependency_does_not(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "requirements-dev.txt", "requirements.txt"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    project = tmp_path / "pyproject.toml"
    for lock in list(locks(tmp_path))[:2]:
        lock.path.write_text(lock.seal("pinned==1.0\n"))

    project.write_text(project.read_text() + "\n[tool.example]\nx = 1\n")
    assert all(lock.is_fresh() for lock in list(locks(tmp_path))[:2])

    project.write_text(project.read_text().replace('"aiohttp>=', '"aiohttp>=0.'))
    assert not any(lock.is_fresh() for lock in list(locks(tmp_path))[:2])


def test_the_locks_of_npm_packages_are_fresh_and_name_no_registry() -> None:
    assert len(list(package_locks())) > 1
    for lock in package_locks():
        text = lock.path.read_text()
        assert lock.is_fresh()
        assert '"resolved"' not in text
        assert text.count('"integrity"') == len(json.loads(text)["packages"]) - 1


def test_a_lock_of_npm_packages_is_stale_when_a_dependency_changes(tmp_path: Path) -> None:
    lock = PackageLock(tmp_path / "package-lock.json")
    package = tmp_path / "package.json"
    package.write_text('{"dependencies": {"example": "1.0"}}')
    assert not lock.is_fresh()

    lock.path.write_text(json.dumps({"packages": {"": {"dependencies": {"example": "1.0"}}}}))
    assert lock.is_fresh()

    package.write_text('{"dependencies": {"example": "1.1"}}')
    assert not lock.is_fresh()
