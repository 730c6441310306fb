"""What calls ought to cost, found by walking time second by second. Shares no code with the product."""

from dataclasses import dataclass, field


@dataclass
class WalkedSession:
    """One session; `paid` holds every second that is paid for in its newest window."""

    paid: set[int] = field(default_factory=set)
    end: int = 0

    def call(self, at: int, increment: int, tail: int) -> int:
        """Make a call in second `at`; return how many increments had to be bought for it."""
        bought = 0
        if at not in self.paid:
            self.paid, self.end = set(), at
            bought += self._buy(increment)
        while not all(second in self.paid for second in range(at, at + tail)):
            bought += self._buy(increment)
        return bought

    def stop(self, at: int, increment: int) -> int:
        """End the session in second `at`; return how many increments had not begun."""
        if at not in self.paid:
            return 0
        start, unused = min(self.paid), 0
        for first in range(start, self.end, increment):
            if first >= at:
                unused += 1
        self.paid, self.end = {second for second in self.paid if second < at}, at
        return unused

    def _buy(self, increment: int) -> int:
        for _ in range(increment):
            self.paid.add(self.end)
            self.end += 1
        return 1
