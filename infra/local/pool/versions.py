"""The api-versions of the pool and what depends on them: which shape, which identifiers.

Pure. Until 2024-08-02-preview the API wraps everything in `properties`; from 2024-10-02-preview on it is flat. Paths
of the older API go on being answered under newer versions, because clients mix them; newer paths are refused under
versions that never had them.
"""

import re
from enum import StrEnum


class ApiVersion(StrEnum):
    """The published api-versions, oldest first; they compare by age because they begin with their date."""

    FEBRUARY_2024 = "2024-02-02-preview"
    AUGUST_2024 = "2024-08-02-preview"
    OCTOBER_2024 = "2024-10-02-preview"
    FEBRUARY_2025 = "2025-02-02-preview"
    OCTOBER_2025 = "2025-10-02-preview"

    @property
    def enveloped(self) -> bool:
        """Whether paths that both dialects share answer in the older shape."""
        return self < ApiVersion.OCTOBER_2024

    def accepts_identifier(self, identifier: str) -> bool:
        """Say whether this version's rule for session identifiers allows `identifier`."""
        return _IDENTIFIERS[self].fullmatch(identifier) is not None


# The how-to pages of the first versions list these characters; the later rules are the patterns of the OpenAPI files.
_DOCUMENTED = re.compile(r"[A-Za-z0-9|\-&^%$#(){}\[\];<>]{4,128}")
_NARROW = re.compile(r"[A-Za-z0-9\-_]{1,256}")
_WIDE = re.compile(r"""[a-zA-Z0-9_|}{\[\]:"';<>?/.,@#$%^&*()\-+=!~`]{4,128}""")
_IDENTIFIERS = {
    ApiVersion.FEBRUARY_2024: _DOCUMENTED,
    ApiVersion.AUGUST_2024: _DOCUMENTED,
    ApiVersion.OCTOBER_2024: _NARROW,
    ApiVersion.FEBRUARY_2025: _NARROW,
    ApiVersion.OCTOBER_2025: _WIDE,
}
