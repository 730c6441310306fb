"""The package that a deployment uploads: the project's folder without what `.funcignore` names.

`azd deploy` and `func azure functionapp publish` make such a package themselves. This one shows what goes into it, and
two packages of the same files are the same bytes, so that one can be kept, compared, or deployed as it is.
"""

import argparse
import io
import os
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pathspec

from scripts.steps import ROOT

IGNORE_FILE = ".funcignore"
_EARLIEST = (1980, 1, 1, 0, 0, 0)  # that a zip file can say
_READABLE = 0o100644


def packaged_files(root: Path = ROOT) -> Iterator[str]:
    """List what goes into the package, by paths relative to the folder, in the order in which they are packed."""
    ignored = pathspec.GitIgnoreSpec.from_lines((root / IGNORE_FILE).read_text("utf-8").splitlines())
    found = []
    for parent, folders, files in os.walk(root):
        below = Path(parent).relative_to(root).as_posix()
        prefix = "" if below == "." else f"{below}/"
        folders[:] = [name for name in folders if not ignored.match_file(f"{prefix}{name}/")]
        found += [f"{prefix}{name}" for name in files if not ignored.match_file(f"{prefix}{name}")]
    yield from sorted(found)


def build_package(root: Path = ROOT) -> bytes:
    """Pack the files: as a zip file that depends on their paths and contents alone."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in packaged_files(root):
            entry = zipfile.ZipInfo(name, _EARLIEST)
            entry.create_system = 3  # Unix, wherever this runs
            entry.external_attr = _READABLE << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, (root / name).read_bytes())
    return packed.getvalue()


def main() -> int:
    """List the package, and write it where `--output` says."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.package", description="List what a deployment uploads, and make a file of it."
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the package there, as a zip file")
    output: Path | None = parser.parse_args().output
    package = build_package()
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        entries = archive.infolist()
    for entry in entries:
        print(f"{entry.file_size:>9,}  {entry.filename}")
    unpacked = sum(entry.file_size for entry in entries)
    print(f"{unpacked:>9,}  bytes in {len(entries)} files; {len(package):,} packed")
    if output is not None:
        try:
            output.write_bytes(package)
        except OSError as error:
            sys.stderr.write(f"package: {output}: {error.strerror}.\n")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
