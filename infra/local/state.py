"""What a data directory remembers between two runs of the stack: its secrets and its keys, in `stack.json`.

The secrets belong to the data: with another namespace secret every tenant's sessions would have new identifiers, with
another ledger secret the ledger's chain could not be verified.
"""

import json
import secrets
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from infra.local.processes import LocalError, write_privately

SECRET_BYTES = 32
PARTS = ("storage", "pool", "logs")


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The content of `stack.json`; a key is None until it has been made."""

    namespace_secret: str
    ledger_secret: str
    increment_seconds: int
    operator_key: str | None = None
    demo_key: str | None = None

    @classmethod
    def new(cls, increment_seconds: int) -> Self:
        """Make the state of an empty data directory, with secrets of its own."""
        return cls(
            namespace_secret=secrets.token_hex(SECRET_BYTES),
            ledger_secret=f"k1:{secrets.token_hex(SECRET_BYTES)}",
            increment_seconds=increment_seconds,
        )

    @classmethod
    def load(cls, data_dir: Path, increment_seconds: int) -> Self:
        """Read a data directory's state, or make it where there is none yet.

        Raises:
            LocalError: The file is there but is not what `save` wrote.
        """
        path = data_dir / "stack.json"
        if not path.exists():
            state = cls.new(increment_seconds)
            state.save(data_dir)
            return state
        try:
            return cls(**json.loads(path.read_text()))
        except (ValueError, TypeError, OSError):
            raise LocalError(f"{path} cannot be read as the stack's keys; start with --fresh to begin anew") from None

    def save(self, data_dir: Path) -> None:
        """Write the state where only its owner can read it."""
        write_privately(data_dir / "stack.json", asdict(self))


def wipe(data_dir: Path) -> None:
    """Remove what the stack keeps in a data directory, and nothing else that may be there."""
    (data_dir / "stack.json").unlink(missing_ok=True)
    for part in PARTS:
        shutil.rmtree(data_dir / part, ignore_errors=True)
