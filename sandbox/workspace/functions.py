"""The stored functions of a workspace, bound to its tables when a query uses them."""

import threading
from typing import TYPE_CHECKING

import duckdb_kql
from duckdb_kql.stored_functions import StoredFunction, parse_functions

from sandbox.workspace.binding import BindingError, resolve, tokens

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Registry = dict[str | None, dict[str, StoredFunction]]
"""What `duckdb_kql` takes as functions."""


class Functions:
    """The stored functions by name; a function may call others, in any order of saving.

    What was bound is kept until a table or a column is added: for a function with a hundred columns, binding
    takes most of the time of a query.
    """

    def __init__(self) -> None:
        self._definitions: dict[str, str] = {}
        self._bound: dict[str, StoredFunction] = {}
        self._version = -1
        self._lock = threading.RLock()

    def save(self, name: str, body: str, parameters: str = "") -> None:
        """Save a function, in place of one of the same name.

        Raises:
            ValueError: The definition does not parse.
        """
        definition = f"function {name}({parameters}) {{\n{body}\n}}"
        parse_functions([definition])
        with self._lock:
            self._definitions[name] = definition
            self._bound.clear()

    def used_by(self, text: str, connection: "DuckDBPyConnection", version: int) -> Registry:
        """Return the functions that the text uses, and those that they use, bound to the tables.

        Raises:
            BindingError: A function calls itself, or a `column_ifexists` cannot be resolved.
        """
        with self._lock:
            if version != self._version:
                self._bound.clear()
                self._version = version
            return {None: self._used_by(text, connection, ())}

    def _used_by(
        self, text: str, connection: "DuckDBPyConnection", callers: tuple[str, ...]
    ) -> dict[str, StoredFunction]:
        used: dict[str, StoredFunction] = {}
        for name in {token.text for token in tokens(text)} & self._definitions.keys():
            if name in callers:
                raise BindingError(f"Function {name} calls itself: {' > '.join([*callers, name])}.")
            used |= self._bind(name, connection, callers)
        return used

    def _bind(
        self, name: str, connection: "DuckDBPyConnection", callers: tuple[str, ...]
    ) -> dict[str, StoredFunction]:
        definition = self._definitions[name]
        body = definition[definition.index("{") :]
        used = self._used_by(body, connection, (*callers, name))
        if name not in self._bound:
            bound = resolve(definition, lambda query: columns_of(query, connection, {None: used}))
            self._bound |= (parse_functions([bound]) or {})[None]
        return used | {name: self._bound[name]}


def columns_of(query: str, connection: "DuckDBPyConnection", functions: Registry) -> frozenset[str]:
    """Return the names of the columns that a query gives, without running it."""
    return frozenset(duckdb_kql.kql(connection, query, allow_write=False, functions=functions).columns)
