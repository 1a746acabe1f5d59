"""Which organization the user belongs to, from userinfo: needed by v3, costs no extra scope."""

from typing import Any

from shared.docusign.client import DocuSignClient


def find_organizations(client: DocuSignClient, auth_url: str) -> set[str]:
    """The ids of the organizations of the user's accounts, lower case."""
    content, _ = client.get(f"{auth_url}/oauth/userinfo")
    accounts = content.get("accounts") if isinstance(content, dict) else None
    found = (_organization_id(account) for account in (accounts if isinstance(accounts, list) else ()))
    return {organization.lower() for organization in found if organization}


def _organization_id(account: Any) -> str | None:
    organization = account.get("organization") if isinstance(account, dict) else None
    identifier = organization.get("organization_id") if isinstance(organization, dict) else None
    return identifier if isinstance(identifier, str) else None
