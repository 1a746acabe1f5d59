"""Event shapes: which fields an event has, and how their values are written.

Real payloads disagree with each other: DocuSign's older events know only the nested location, programs have
no `userAgentClientInfo`, some events have no location at all, and strings inside `data` may arrive as arrays
of single characters. Each shape here was seen in a published payload (`samples/real.ndjson`).
"""

from dataclasses import replace
from datetime import datetime
from random import Random

from sandbox.organization import samples
from sandbox.organization.identifiers import guid, timestamp
from sandbox.organization.model import Access, Client, Place, User, What

BLANK: dict[str, object] = {name: "" for name in samples.load("synthetic")[0] if name != "ipAddressLocation"}
"""The fields of a full event, all empty."""

_FLAT_LOCATION = ("latitude", "longitude", "city", "state", "country")
_FLAT_CLIENT = ("device", "browser", "os")

_LOCATION_SHAPES = ("both", "flat", "nested", "none")
_LOCATION_WEIGHTS = (84, 6, 6, 4)
_ODD = 0.05


class EventMaker:
    """Makes events in the shapes of real ones; every value comes from the seed.

    Args:
        rng: The source of ids, shapes and oddities.
        organization_id: Written into events of the organization and alerts.
    """

    def __init__(self, rng: Random, organization_id: str) -> None:
        self._rng = rng
        self._organization_id = organization_id

    def make(
        self, at: datetime, what: What, user: User, access: Access, data: dict[str, object] | None = None
    ) -> dict[str, object]:
        """Return one event with an id of its own."""
        event = BLANK | {
            "timestamp": timestamp(self._rng, at),
            "eventId": guid(self._rng),
            "userId": user.id,
            "integratorKey": access.integrator_key,
            "object": what.object,
            "action": what.action,
            "property": what.property,
            "field": what.field,
            "result": what.result,
            "source": access.source,
            "proxyStatus": "anonymous" if access.proxy_type else "",
            "proxyType": access.proxy_type,
            "data": data or {},
        }
        self._add_tenant(event, what, user)
        self._add_client(event, access.client)
        self._add_location(event, what, access)
        self._add_oddities(event, user)
        return event

    def _add_tenant(self, event: dict[str, object], what: What, user: User) -> None:
        event["site"] = user.account.site
        event["accountId"] = "" if what.object == "Organization" else user.account.id
        if what.object in {"Organization", "Alert"} or self._rng.random() < _ODD:
            event["organizationId"] = self._organization_id

    def _add_client(self, event: dict[str, object], client: Client | None) -> None:
        if client is None:
            return
        event["userAgent"] = client.user_agent
        event["device"] = client.device
        event["browser"] = f"{client.browser} {client.version[0]}"
        event["os"] = f"{client.os} {client.os_version}".rstrip()
        if self._rng.random() > _ODD:
            event["userAgentClientInfo"] = _client_info(client)

    def _add_location(self, event: dict[str, object], what: What, access: Access) -> None:
        event["ipAddress"] = access.ip
        event["latitude"] = event["longitude"] = 0
        if access.place is None:
            return
        shape = self._rng.choices(_LOCATION_SHAPES, weights=_LOCATION_WEIGHTS)[0]
        if what.action == "Login":
            shape = "both"  # DocuSign locates every login: its own alert on distance needs it
        if shape in {"both", "flat"}:
            event |= _location(access.place)
        if shape in {"both", "nested"}:
            event["ipAddressLocation"] = _location(self._nudged(access.place))
        if shape == "nested":
            self._age(event)

    def _nudged(self, place: Place) -> Place:
        if self._rng.random() > _ODD:
            return place
        return replace(place, latitude=round(place.latitude + 0.01, 2))

    def _age(self, event: dict[str, object]) -> None:
        """Take away the fields that DocuSign's events of 2020 did not have."""
        for name in (
            *_FLAT_LOCATION,
            *_FLAT_CLIENT,
            "proxyStatus",
            "proxyType",
            "proxyLevel",
            "affectedUserId",
        ):
            del event[name]
        location = event["ipAddressLocation"]
        if isinstance(location, dict) and location["country"] == "united states":
            location["country"] = "US"

    def _add_oddities(self, event: dict[str, object], user: User) -> None:
        data = event["data"]
        affected = data.get("AffectedUserId", "") if isinstance(data, dict) else ""
        if affected:
            event["referencedUserId"] = affected
            event["affectedUserIsMemberOfDomain"] = True
        if affected and "affectedUserId" in event:
            event["affectedUserId"] = affected
        if self._rng.random() < _ODD:
            event["isUserMemberOfDomain"] = not user.is_service
            event["referencedUserIsMemberOfDomain"] = bool(affected)
        if self._rng.random() < _ODD:
            event |= {"application": "DocuSign eSignature", "environment": "Production", "version": "1.0"}
            event |= {"traceToken": guid(self._rng), "customerVisible": True}


def exploded(text: str) -> list[str]:
    """Return the text as an array of its characters, a fault seen in published alerts."""
    return list(text)


def _location(place: Place) -> dict[str, object]:
    return {
        "latitude": place.latitude,
        "longitude": place.longitude,
        "country": place.country,
        "state": place.state,
        "city": place.city,
    }


def _client_info(client: Client) -> dict[str, object]:
    major, minor, patch = client.version
    system: dict[str, object] = {"family": client.os}
    if client.os_version:
        system["version"] = {"major": client.os_version}
    return {
        "browser": {"family": client.browser, "version": {"major": major, "minor": minor, "patch": patch}},
        "device": {"family": client.device, "brand": "", "model": ""},
        "os": system,
    }
