"""What is known of each call from outside: when it came, when it went to the pool, what its caller was told.

Instants are microseconds of true time since the start of the history.
"""

import contextvars
from dataclasses import dataclass, field


@dataclass(slots=True)
class CallRecord:
    """One call.

    Attributes:
        identifier: what the pool calls the session; empty until the call reaches the pool's door.
        skew: the error of its instance's clock.
        sent_at: when it left for the pool.
        received_at: when the pool took it in; None if it never did, or refused it at its door.
        ran: whether anyone but the pool must take it to have run: it was sent, and not refused.
        alone: no other call of the tenant was under way meanwhile.
        known_until: until when, local, its instance knew the session to be paid when the call began.
        history_start: how far the tenant's books had come when it began.
    """

    id: str
    tenant: str
    session: str
    verb: str
    instance: str
    skew: int
    started_at: int
    identifier: str = ""
    sent_at: int | None = None
    received_at: int | None = None
    ran: bool = False
    alone: bool = True
    known_until: int | None = None
    history_start: int = 0
    ended_at: int | None = None
    status: int = 0
    code: str = ""
    headers: dict[str, str] = field(default_factory=dict)


CALL: contextvars.ContextVar[CallRecord] = contextvars.ContextVar("CALL")
"""The call for which the running task works."""
