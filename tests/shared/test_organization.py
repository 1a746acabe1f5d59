from typing import Any

import pytest

from shared.docusign.client import DocuSignClient
from shared.docusign.organization import find_organizations
from shared.web import Answer


class FakeClient(DocuSignClient):
    """A client whose one answer is known."""

    def __init__(self, content: Any) -> None:
        self._content = content
        self.asked: list[str] = []

    def get(self, url: str, params: dict[str, str] | None = None) -> tuple[Any, Answer]:
        """Give the answer."""
        assert params is None
        self.asked.append(url)
        return self._content, Answer(200)


def account(organization_id: Any) -> dict[str, Any]:
    """Give an account as userinfo shows it."""
    return {
        "account_id": "a",
        "is_default": "true",
        "organization": {"organization_id": organization_id, "links": []},
    }


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"accounts": [account("A1")]}, {"a1"}),
        ({"accounts": [account("A1"), account("a1"), account("b2")]}, {"a1", "b2"}),
        ({"accounts": [{"account_id": "a"}, account("")]}, set()),
        ({"accounts": [account(None), account(5), {"organization": "x"}, "x", None, 5]}, set()),
        ({"accounts": []}, set()),
        ({"accounts": None}, set()),
        ({"accounts": 5}, set()),
        ({"accounts": {"organization": {"organization_id": "x"}}}, set()),
        ({}, set()),
        (None, set()),
        ([], set()),
        ("text", set()),
    ],
)
def test_find_organizations(content: Any, expected: set[str]) -> None:
    """The organizations of all accounts are found, each once; an odd answer names none."""
    client = FakeClient(content)

    assert expected == find_organizations(client, "https://account.docusign.com")
    assert ["https://account.docusign.com/oauth/userinfo"] == client.asked
