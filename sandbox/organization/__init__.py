"""A synthetic DocuSign organization: its people, a week of their events, and incidents hidden in them."""

from sandbox.organization.model import Account, Entry, Incident, IntegrationKey, User
from sandbox.organization.organization import Organization, make_organization

__all__ = ["Account", "Entry", "Incident", "IntegrationKey", "Organization", "User", "make_organization"]
