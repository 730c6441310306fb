"""Who may call what, when keys are switched on.

The levels are the host's: `anonymous` needs nothing, `function` a host key or the master key, `admin` the master key.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Keys:
    """The host's keys; without a master key nothing is checked."""

    master: str | None = None
    host: str | None = None

    def admit(self, level: str, headers: Mapping[str, str], query: Mapping[str, str]) -> bool:
        """Tell whether a request may call a function of this level. The header goes before the query's `code`."""
        if self.master is None or level == "anonymous":
            return True
        given = headers.get("x-functions-key") or query.get("code") or ""
        accepted = [self.master, self.host] if level == "function" else [self.master]
        return any(hmac.compare_digest(given.encode(), key.encode()) for key in accepted if key)
