"""An account's journal: pages and progress move together, whatever becomes of the answers."""

from typing import Any

import pytest

from shared.directory import journal
from shared.directory.journal import Journal, Journals, Line
from shared.errors import LeaseLost, StorageRefused
from tests.shared.fakes import BlobService, Wire, loses_answer, make_retry, passes, storage_answer
from tests.support import ManualClock

NAME = "directory/default/a1/s1.ndjson"
PAGE: list[Line] = [{"user": "u1", "hash": "h"}, {"phase": "members", "next": "https://x"}]
NEXT: list[Line] = [{"user": "u2", "hash": "ü"}]


def may() -> None:
    """Let a write be made."""


def make_journal(service: BlobService, wire: Any = None) -> Journal:
    """Give the journal of one account."""
    return Journals(service.client(wire), "directory/default/", make_retry(), may).open("a1", "s1")


@pytest.fixture
def service() -> BlobService:
    """Give an empty container."""
    return BlobService(ManualClock())


def test_what_is_appended_is_read_again(service: BlobService) -> None:
    """The lines come back in their order, to the one who wrote them and to another."""
    first = make_journal(service)
    empty = list(first.lines())
    first.append(PAGE)
    first.append(NEXT)
    second = make_journal(service)
    found = list(second.lines())
    second.append(PAGE)

    assert [] == empty
    assert [NAME] == service.names()
    assert [*PAGE, *NEXT] == found
    assert [*PAGE, *NEXT, *PAGE] == list(make_journal(service).lines())


def test_it_is_read_in_pieces(service: BlobService, monkeypatch: pytest.MonkeyPatch) -> None:
    """A piece may end anywhere, also where the blob does: no line is lost or cut."""
    make_journal(service).append(PAGE * 3)
    size = len(service.content(NAME))
    for piece in (7, size, size // 3):
        monkeypatch.setattr(journal, "PIECE_BYTES", piece)
        wire = Wire(service)

        assert PAGE * 3 == list(make_journal(service, wire).lines())


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_a_lost_answer_doubles_nothing(service: BlobService, lost: int) -> None:
    """The blob is made and written once, though the answer to any of the calls is lost."""
    wire = Wire(service)
    written = make_journal(service, wire)
    wire.then(*[loses_answer if number == lost else passes for number in range(3)])
    written.append(PAGE)
    written.append(NEXT)

    assert [*PAGE, *NEXT] == list(make_journal(service).lines())


def test_another_writer_is_noticed(service: BlobService) -> None:
    """Where somebody else has appended, nothing is, even when it has the same length."""
    written = make_journal(service)
    written.append(PAGE)
    other = make_journal(service)
    list(other.lines())
    other.append([{"user": "u3", "hash": "ü"}])
    with pytest.raises(LeaseLost, match="changed by another run"):
        written.append(NEXT)

    assert [*PAGE, {"user": "u3", "hash": "ü"}] == list(make_journal(service).lines())


def test_a_blob_that_appeared_is_not_overwritten(service: BlobService) -> None:
    """Two runs that both found no blob: the second one to write stops."""
    first, second = make_journal(service), make_journal(service)
    assert [] == [*first.lines(), *second.lines()]
    first.append(PAGE)
    with pytest.raises(LeaseLost):
        second.append(NEXT)

    assert PAGE == list(make_journal(service).lines())


def test_without_the_lease_nothing_is_written(service: BlobService) -> None:
    """The lease is asked for before each write."""

    def may_not() -> None:
        raise LeaseLost("The lease was lost.")

    with pytest.raises(LeaseLost):
        Journal(service.client(), NAME, make_retry(), may_not).append(PAGE)

    assert [] == service.names()


def test_spoiled_lines_are_left_out(service: BlobService) -> None:
    """A line that is no JSON object is passed over, and so is one without an end."""
    make_journal(service).append(PAGE)
    service.write(NAME, b"?\n[]\n" + service.content(NAME) + b'{"user":"u9"')

    assert PAGE == list(make_journal(service).lines())


@pytest.mark.parametrize("read", [True, False])
def test_a_refusal_names_the_blob(service: BlobService, *, read: bool) -> None:
    """What storage refuses is one sentence with the blob's name."""
    wire = Wire(service)
    refused = make_journal(service, wire)
    wire.then(*[storage_answer(409, "InvalidBlobType")] * 2)
    with pytest.raises(StorageRefused, match=NAME):
        list(refused.lines()) if read else refused.append(PAGE)


def test_old_journals_are_deleted(service: BlobService) -> None:
    """Only those that are named stay, of this organization; an account's id may hold anything."""
    journals = Journals(service.client(), "directory/default/", make_retry(), may)
    for account, sweep in (("a/1", "s1"), ("a/1", "s2"), ("a2", "s1")):
        journals.open(account, sweep).append(PAGE)
    service.write("directory/default.json", b"head")
    service.write("directory/other/a2/s1.ndjson", b"another's")
    journals.keep_only([("a/1", "s2"), ("a3", "")])

    assert [
        "directory/default.json",
        "directory/default/a%2F1/s2.ndjson",
        "directory/other/a2/s1.ndjson",
    ] == service.names()
