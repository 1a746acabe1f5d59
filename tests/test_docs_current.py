"""The docs that are made from the code, held against it."""

import pytest

from scripts.make_docs import PAGES, main, stale_pages


def test_the_pages_are_current() -> None:
    """What the docs show of the tables is what the code has; scripts/make-docs mends it."""
    stale = stale_pages()

    assert [] == stale


def test_a_page_that_differs_is_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    """A changed source shows, and --check fails with the page's name."""
    path = next(iter(PAGES))
    monkeypatch.setitem(PAGES, path, lambda: "another text")
    monkeypatch.setattr("sys.argv", ["make-docs", "--check"])
    with pytest.raises(SystemExit) as failed:
        main()

    assert f"Stale: docs/{path.name}. Run scripts/make-docs." == failed.value.code
