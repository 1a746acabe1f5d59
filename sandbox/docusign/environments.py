"""DocuSign's two environments and their host names."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from sandbox.organization import Account


@dataclass(frozen=True)
class Environment:
    """One of DocuSign's environments; a token of one is worth nothing in the other.

    Attributes:
        name: `production` or `demo`.
        auth_host: OAuth.
        lens_host: Monitor v2.0.
        api_host: Monitor v3.
        admin_host: Admin API.
        shared_host: The host of all accounts, or nothing where each account has a host of its own.
    """

    name: str
    auth_host: str
    lens_host: str
    api_host: str
    admin_host: str
    shared_host: str = ""

    def base_uri(self, account: Account) -> str:
        """Return the account's eSignature address in this environment."""
        return f"https://{self.shared_host}" if self.shared_host else account.base_uri

    def account_host(self, account: Account) -> str:
        """Return the host of the account's eSignature address."""
        return str(urlsplit(self.base_uri(account)).hostname)


PRODUCTION = Environment(
    "production", "account.docusign.com", "lens.docusign.net", "api.docusign.com", "api.docusign.net"
)
DEMO = Environment(
    "demo",
    "account-d.docusign.com",
    "lens-d.docusign.net",
    "api-d.docusign.com",
    "api-d.docusign.net",
    "demo.docusign.net",
)
ENVIRONMENTS = (PRODUCTION, DEMO)
