"""How the set-up comes by a browser, and what it says where there is none."""

from pathlib import Path

from scripts.browser import NOTE, browser_note, chromium
from scripts.steps import SetupError


def program(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_a_stub_that_only_talks_of_a_browser_is_passed_over_for_one_that_runs(tmp_path: Path) -> None:
    found: dict[str, str] = {
        "chromium": program(tmp_path, "chromium", "echo 'install the snap'; exit 1"),
        "google-chrome": program(tmp_path, "google-chrome", "echo Google Chrome 156.0.1"),
    }

    assert chromium(found.get) == tmp_path / "google-chrome"
    assert chromium(lambda _: None) is None


def test_where_no_browser_can_be_had_a_note_is_given_and_the_attempt_is_made_once(tmp_path: Path) -> None:
    attempts: list[tuple[object, ...]] = []

    def refused(*command: object, advice: str) -> str:
        attempts.append(command)
        raise SetupError(advice)

    programs = {"apt-get": "/usr/bin/apt-get"}

    notes = [browser_note(tmp_path, lambda _: None, programs.get, refused) for _ in range(2)]

    assert notes == [NOTE, NOTE]
    assert len(attempts) == 1


def test_a_browser_is_installed_with_a_font_to_write_in(tmp_path: Path) -> None:
    commands: list[str] = []

    def done(*command: object, advice: str) -> str:
        commands.append(" ".join(map(str, command)))
        return ""

    assert browser_note(tmp_path, lambda _: None, {"apt-get": "/usr/bin/apt-get"}.get, done) is None
    assert commands[1].endswith("install --no-install-recommends chromium fonts-inter")


def test_a_browser_that_is_there_is_not_installed_again(tmp_path: Path) -> None:
    found = {"chromium": program(tmp_path, "chromium", "echo Chromium 156.0.1")}

    def never(*_: object, advice: str) -> str:
        raise AssertionError(advice)

    assert browser_note(tmp_path, lambda _: None, found.get, never) is None
