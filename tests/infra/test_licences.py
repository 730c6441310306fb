"""Licences: every dependency's is known and permissive, or excused with a reason, and the page about them is fresh."""

import subprocess
import sys
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest

from scripts.licences import (
    ELSEWHERE,
    PAGE,
    PUBLIC_DOMAIN,
    STORAGE,
    VENDORED,
    locked_packages,
    npm_licences,
    page,
    vendored_package,
)
from scripts.spdx import UNKNOWN, in_spdx, is_permissive, licence_of
from scripts.steps import ROOT

EXCUSED = {
    "certifi": ("MPL-2.0", "a list of certificates, deployed as it comes"),
    "hypothesis": ("MPL-2.0", "runs in tests, is not deployed"),
    "pathspec": ("MPL-2.0", "reads .funcignore for developers, is not deployed"),
}
BSD = "Redistribution and use in source and binary forms, with or without modification, are permitted"


def described(folder: Path, metadata: str, licence: str) -> PathDistribution:
    """Install a distribution that is only a description and the text of a licence."""
    info = folder / "example-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(metadata)
    (info / "LICENSE.txt").write_text(licence)
    (info / "RECORD").write_text("example-1.0.dist-info/LICENSE.txt,,\n")
    return PathDistribution(info)


def test_every_licence_is_permissive_or_excused() -> None:
    locks = [(ROOT / name).read_text() for name in ("requirements.txt", "requirements-dev.txt")]
    packages = {package for lock in locks for package in locked_packages(lock)} | {vendored_package(ROOT / VENDORED)}
    licences = {package.name: package.licence for package in packages}

    demanding = {name: licence for name, licence in licences.items() if not is_permissive(licence)}

    assert demanding == {name: licence for name, (licence, _) in EXCUSED.items()}


def test_what_the_local_storage_brings_is_permissive() -> None:
    licences = npm_licences((ROOT / STORAGE).read_text())

    assert "node_modules/azurite" in licences
    assert {name for name, licence in licences.items() if not is_permissive(licence)} == {"node_modules/uri-templates"}
    assert licences["node_modules/uri-templates"] == PUBLIC_DOMAIN


def test_what_is_known_by_hand_is_what_a_lock_names_for_other_systems() -> None:
    conditions = {p.name: p.condition for p in locked_packages((ROOT / "requirements-dev.txt").read_text())}

    assert all(conditions[name].startswith("sys_platform == ") for name in ELSEWHERE)


def test_the_page_is_fresh() -> None:
    assert PAGE.read_text() == page(), "run: make licences"


def test_the_command_says_so_when_it_is() -> None:
    command = [sys.executable, "-m", "scripts.licences", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_package_that_nobody_knows_has_no_licence() -> None:
    lock = "no-such-package==1.0 ; sys_platform == 'amiga' \\\n    --hash=sha256:00\n    # via nothing\n"

    [package] = locked_packages(lock)

    assert (package.version, package.condition, package.licence) == ("1.0", "sys_platform == amiga", UNKNOWN)


@pytest.mark.parametrize(
    ("metadata", "text", "licence"),
    [
        ("License-Expression: mit and psf-2.0\nLicense: GPL", "", "MIT AND PSF-2.0"),
        ("License: Apache 2.0", "", "Apache-2.0"),
        ("License: ISC\nClassifier: License :: OSI Approved :: BSD License", "", "ISC"),
        ("License: UNKNOWN\nClassifier: License :: OSI Approved :: MIT License", "", "MIT"),
        ("License: GPL-3.0-only", "", "GPL-3.0-only"),
        (f"License: Copyright X\n        \n        {BSD} … Neither the name of X", "", "BSD-3-Clause"),
        ("License: BSD", BSD, "BSD-2-Clause"),
        ("Classifier: License :: OSI Approved :: BSD License", f"{BSD} … Neither the name of X", "BSD-3-Clause"),
        ("Classifier: License :: OSI Approved :: BSD License", "", UNKNOWN),
        ("License: ask us", "Ask us.", UNKNOWN),
        ("", "", UNKNOWN),
    ],
)
def test_metadata_is_read_as_an_spdx_expression(tmp_path: Path, metadata: str, text: str, licence: str) -> None:
    assert licence_of(described(tmp_path, f"{metadata}\n".lstrip(), text)) == licence


@pytest.mark.parametrize(
    ("expression", "permissive"),
    [
        ("MIT", True),
        ("Apache-2.0 AND (MIT OR ISC)", True),
        ("MIT OR GPL-2.0-only", False),
        ("MPL-2.0", False),
        (UNKNOWN, False),
        (PUBLIC_DOMAIN, False),
    ],
)
def test_an_expression_is_permissive_if_all_of_it_is(expression: str, permissive: bool) -> None:  # noqa: FBT001
    assert is_permissive(expression) is permissive


def test_words_that_mean_no_licence_are_not_guessed() -> None:
    assert in_spdx("") == in_spdx("see the website") == UNKNOWN
