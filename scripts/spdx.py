"""Which licence a distribution is under, as an SPDX expression, from its metadata; and which ones are accepted.

Only newer packages say it in SPDX's words. Of the others, what their authors wrote is translated where it has one
meaning, and "BSD", which has several, is looked up in the licence's own text. What is not understood has no name, which
a test does not let pass.
"""

import re
from importlib.metadata import Distribution

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

UNKNOWN = "unknown"
PERMISSIVE = frozenset(
    {"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BlueOak-1.0.0", "ISC", "MIT", "MIT-0", "PSF-2.0"}
)
WRITTEN = {
    "apache 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "bsd 2-clause license": "BSD-2-Clause",
    "bsd 3-clause license": "BSD-3-Clause",
    "isc license": "ISC",
    "isc license (iscl)": "ISC",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "python software foundation license": "PSF-2.0",
}

_CLASSIFIER = re.compile(r"License :: (?:.* :: )?(.+)")


def licence_of(distribution: Distribution) -> str:
    """Name the licence: an SPDX expression, or `UNKNOWN`."""
    metadata = distribution.metadata
    expression = metadata.get("License-Expression")
    if expression:
        return in_spdx(expression)
    first_line = (metadata.get("License") or "").strip().partition("\n")[0]
    classified = [found[1] for line in metadata.get_all("Classifier") or [] if (found := _CLASSIFIER.fullmatch(line))]
    for written in (first_line, *classified):
        named = in_spdx(written)
        if named != UNKNOWN:
            return named
    return _bsd_of(distribution)


def in_spdx(written: str) -> str:
    """Translate what somebody wrote into an SPDX expression; `UNKNOWN` if it is none."""
    text = WRITTEN.get(written.strip().lower(), written.strip())
    try:
        return str(canonicalize_license_expression(text))
    except InvalidLicenseExpression:
        return UNKNOWN


def is_permissive(expression: str) -> bool:
    """Say whether every licence in an expression asks for little more than its text to be kept."""
    return all(name in PERMISSIVE for name in re.split(r" (?:AND|OR) ", expression.replace("(", "").replace(")", "")))


def _bsd_of(distribution: Distribution) -> str:
    files = [file for file in distribution.files or [] if re.match(r"LICEN[CS]E|COPYING", file.name)]
    text = " ".join([distribution.metadata.get("License") or "", *(file.read_text("utf-8") for file in files)])
    if "Redistribution and use in source and binary forms" not in text:
        return UNKNOWN
    return "BSD-3-Clause" if re.search(r"Neither the names? ", text) else "BSD-2-Clause"
