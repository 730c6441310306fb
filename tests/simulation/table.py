"""One table with Table Storage's semantics: ETags, conditions, transactions over one partition, filters.

Rows are kept as their columns, as the service would keep them. Everything here happens at one instant; what lies
between the caller and the table is the `network`'s business.
"""

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

TRANSACTION_MAX = 100

type Columns = dict[str, Any]
type Write = tuple[str, Columns, str | None]
"""What is done (`create`, `update`, `upsert`), the row, and the ETag that it must still have (None: whichever)."""
type Watcher = Callable[[str, Mapping[str, Columns]], None]
"""Told of each change: the partition, and the rows as they are after it."""


class Entity(dict[str, Any]):
    """A row as a client gets it, with the mark by which it can prove that it has not changed."""

    def __init__(self, columns: Columns, etag: str) -> None:
        super().__init__(columns)
        self.metadata = {"etag": etag}


class Refusal(Exception):  # noqa: N818
    """The service's answer is an error, and nothing was done."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status

    def as_error(self) -> HttpResponseError:
        """Make the error that the service's client raises."""
        error = ResourceNotFoundError("ResourceNotFound") if self.status == 404 else HttpResponseError("refused")
        error.status_code = self.status
        return error


class SimulatedTable:
    """Rows by partition and row key, each with a version."""

    def __init__(self) -> None:
        self.partitions: dict[str, dict[str, tuple[Columns, int]]] = {}
        self.watchers: list[Watcher] = []
        self.version = 0

    def get(self, partition: str, row_key: str) -> Entity:
        """Read one row; 404 if there is none."""
        found = self.partitions.get(partition, {}).get(row_key)
        if found is None:
            raise Refusal(404)
        return Entity(found[0], str(found[1]))

    def query(self, condition: Callable[[Columns], bool], beyond: tuple[str, str], size: int) -> list[Entity]:
        """Read one page: the first so many matching rows whose keys come after `beyond`, in the order of their keys."""
        found = [
            (partition, row_key)
            for partition, rows in self.partitions.items()
            for row_key, (columns, _) in rows.items()
            if condition(columns) and (partition, row_key) > beyond
        ]
        return [self.get(*key) for key in sorted(found)[:size]]

    def transact(self, writes: Sequence[Write]) -> None:
        """Do all of it, or nothing: 404, 409 or 412 if a row is not as the write takes it to be."""
        keys = [(columns["PartitionKey"], columns["RowKey"]) for _, columns, _ in writes]
        if not 0 < len(writes) <= TRANSACTION_MAX or len(set(keys)) < len(keys) or len({p for p, _ in keys}) > 1:
            raise Refusal(400)
        rows = self.partitions.setdefault(keys[0][0], {})
        for (kind, _, etag), (_, row_key) in zip(writes, keys, strict=True):
            self.check(kind, etag, rows.get(row_key))
        for (_, columns, _), (_, row_key) in zip(writes, keys, strict=True):
            self.version += 1
            rows[row_key] = (dict(columns), self.version)
        for watcher in self.watchers:
            watcher(keys[0][0], {row_key: rows[row_key][0] for _, row_key in keys})

    def check(self, kind: str, etag: str | None, current: tuple[Columns, int] | None) -> None:
        """Refuse a write whose row is not as it must be."""
        if kind == "create" and current is not None:
            raise Refusal(409)
        if kind == "update" and current is None:
            raise Refusal(404)
        if etag is not None and current is not None and etag != str(current[1]):
            raise Refusal(412)


_COMPARISONS = {"eq": operator.eq, "gt": operator.gt, "ge": operator.ge, "lt": operator.lt, "le": operator.le}
_TERM = re.compile(r"(\w+) (eq|gt|ge|lt|le) @(\w+)")


def condition_of(query_filter: str, parameters: Mapping[str, Any]) -> Callable[[Columns], bool]:
    """Read a filter that is a conjunction of comparisons with parameters; a row without the column never matches."""
    terms = []
    for text in query_filter.split(" and "):
        found = _TERM.fullmatch(text)
        assert found is not None, f"the simulated table does not understand {text!r}"
        terms.append((found[1], _COMPARISONS[found[2]], parameters[found[3]]))
    return lambda columns: all(name in columns and holds(columns[name], value) for name, holds, value in terms)


def writes_of(operations: Sequence[tuple[Any, ...]]) -> Iterator[Write]:
    """Read the operations of a transaction as the Tables client takes them."""
    for kind, columns, *rest in operations:
        options = rest[0] if rest else {}
        assert options.get("match_condition", MatchConditions.IfNotModified) is MatchConditions.IfNotModified
        yield str(kind), dict(columns), options.get("etag")
