"""What the service settles when it binds a query, done here on the text: `column_ifexists`, `ingestion_time`.

`column_ifexists("x", d)` becomes `x` or `(d)`, by the columns that the pipeline has before the operator that
holds the call. That part of the query is bound alone, so the answer is right behind any operator::

    let A = T | where n > 1;  union isfuzzy=true (datatable(m:long)[]), A | extend x = column_ifexists("x", 0)
    '----- statements ------' '------------ pipeline so far ------------'

`ingestion_time()` becomes the column that the store keeps it in, where the pipeline still has that column.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

RECEIVED = "_TimeReceived"
"""The column with the moment of ingestion; as in the service, an answer has it only if the query names it."""

_TOKEN = re.compile(
    r"""
    (?P<string> h?@"(?:[^"]|"")*" | h?@'(?:[^']|'')*' | ```.*?```
              | h?"(?:[^"\\\n]|\\.)*" | h?'(?:[^'\\\n]|\\.)*' )
  | (?P<word> [A-Za-z_]\w* )
  | (?P<skip> //[^\n]* | \s+ )
  | (?P<mark> . )
    """,
    re.VERBOSE | re.DOTALL,
)
_LITERAL = re.compile(r"""(["'])(\w+)\1""", re.ASCII)
_PARAMETER = re.compile(r"(\w+)\s*:\s*(\w+)")
_CALLS = {"column_ifexists", "columnifexists", "ingestion_time"}
_EMPTY_AS_TEXT = 'tostring((""))'
"""What is left of an absent column; for each, DuckDB would plan a long piece of SQL, and a parser has a hundred."""


class BindingError(ValueError):
    """A call that cannot be resolved; the message says why."""


class Token(NamedTuple):
    """A token of KQL text: a `string`, a `word`, or a `mark`, which is any other single character."""

    kind: str
    text: str
    start: int
    end: int


def tokens(text: str) -> list[Token]:
    """Return the tokens of KQL text, without white space and comments."""
    return [
        Token(match.lastgroup or "", match.group(), match.start(), match.end())
        for match in _TOKEN.finditer(text)
        if match.lastgroup != "skip"
    ]


def resolve(text: str, columns_of: Callable[[str], frozenset[str]]) -> str:
    """Return the text without calls of `column_ifexists` and `ingestion_time`.

    Args:
        text: A query, or the definition of a function.
        columns_of: Returns the columns of a query; what it raises reaches the caller.

    Raises:
        BindingError: A call outside a pipeline, or with other arguments than a string and a default.
    """
    while calls := list(_first_calls(text)):
        columns = columns_of(calls[0].pipeline)
        for call in reversed(calls):
            text = text[: call.start] + _replacement(call, columns) + text[call.end :]
    return text.replace(_EMPTY_AS_TEXT, '("")')


class _Call(NamedTuple):
    name: str
    arguments: list[str]
    start: int
    end: int
    pipeline: str


def _first_calls(text: str) -> Iterator[_Call]:
    """Yield the calls of the first operator that has any; a call inside another's default waits its turn."""
    found, scopes = tokens(text), _Scopes(text)
    pipeline, end = None, 0
    for index, token in enumerate(found):
        scopes.see(token)
        if token.text in _CALLS and token.start >= end and (arguments := _arguments(text, found, index + 1)):
            if pipeline not in {None, scopes.pipeline()}:
                return
            pipeline, end = scopes.pipeline(), arguments.end
            yield _Call(token.text, arguments.texts, token.start, end, pipeline)


class _Arguments(NamedTuple):
    texts: list[str]
    end: int


def _arguments(text: str, found: list[Token], index: int) -> _Arguments | None:
    """Return what stands in the parentheses that open at a token; None when none open there."""
    depth, texts, start = 0, [], 0
    for token in found[index:]:
        depth += (token.text in _OPENING) - (token.text in _CLOSING)
        if depth == 0 and not start:
            return None
        if not start:
            start = token.end
        elif depth == 0 or (depth == 1 and token.text == ","):
            texts.append(text[start : token.start].strip())
            start = token.end
        if depth == 0:
            return _Arguments(texts, token.end)
    return None


_OPENING = {"(", "[", "{"}
_CLOSING = {")", "]", "}"}


class _Scope:
    """What stands between two brackets so far: statements that ended, and the one under way."""

    def __init__(self, start: int, parameters: str) -> None:
        self.start = start
        self.parameters = parameters
        self.begin(start)

    def begin(self, position: int) -> None:
        self.statement = self.pipeline = position
        self.operator: int | None = None
        self.head: list[str] = []

    def see(self, token: Token) -> None:
        if token.text == ";":
            self.begin(token.end)
        elif token.text == "|":
            self.operator = token.start
        elif token.text == "=" and len(self.head) == 2 and self.head[0] == "let":  # noqa: PLR2004  let and a name
            self.pipeline = token.end
        self.head.append(token.text)


class _Scopes:
    """The scopes that are open at the token seen last, outermost first."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._open = [_Scope(0, "")]
        self._closed = ""
        self._last = ""

    def see(self, token: Token) -> None:
        if token.text in _OPENING:
            is_body = token.text == "{" and self._last == ")"
            self._open.append(_Scope(token.end, _unset(self._closed) if is_body else ""))
        elif token.text in _CLOSING and len(self._open) > 1:
            self._closed = self._text[self._open.pop().start : token.start]
        else:
            self._open[-1].see(token)
        self._last = token.text

    def pipeline(self) -> str:
        """Return the statements before, and the pipeline up to its operator that is under way."""
        depth = len(self._open) - 1
        while self._open[depth].operator is None:
            depth -= 1
            if depth < 0:
                raise BindingError("column_ifexists and ingestion_time belong in an operator behind a table.")
        scopes = self._open[: depth + 1]
        before = "".join(scope.parameters + self._text[scope.start : scope.statement] for scope in scopes)
        return before + self._text[scopes[-1].pipeline : scopes[-1].operator]


def _unset(parameters: str) -> str:
    """Return statements that declare a function's parameters, whose values do not matter for columns."""
    values = (
        (name, '""' if kind == "string" else f"{kind}(null)") for name, kind in _PARAMETER.findall(parameters)
    )
    return "".join(f"let {name} = {value}; " for name, value in values)


def _replacement(call: _Call, columns: frozenset[str]) -> str:
    if call.name == "ingestion_time":
        return RECEIVED if RECEIVED in columns else "datetime(null)"
    name = _LITERAL.fullmatch(call.arguments[0])
    if name is None or len(call.arguments) != 2:  # noqa: PLR2004  a name and a default
        raise BindingError("column_ifexists takes the name of a column as a string, and a default.")
    return name[2] if name[2] in columns else f"({call.arguments[1]})"
