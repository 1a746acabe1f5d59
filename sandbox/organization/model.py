"""The things an organization is made of; all of them are plain values."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Place:
    """A city as DocuSign's location service names it: lower case, without diacritics.

    Attributes:
        city: Such as `sao paulo`.
        state: State or province; repeats the city where there is none.
        country: Such as `united states`.
        latitude: Degrees, north is positive.
        longitude: Degrees, east is positive.
        utc_hours: Hours ahead of UTC. Fixed, so that no time zone database is needed.
    """

    city: str
    state: str
    country: str
    latitude: float
    longitude: float
    utc_hours: float

    def local(self, moment: datetime) -> datetime:
        """Return the wall clock's time here; it keeps the UTC label and serves for hour and date only."""
        return moment + timedelta(hours=self.utc_hours)


@dataclass(frozen=True)
class Client:
    """A browser or app, as text and as DocuSign parses it.

    Attributes:
        user_agent: The header's value.
        browser: Family, such as `Chrome`.
        version: Major, minor and patch of the browser.
        os: Family, such as `Windows`.
        os_version: Major version of the system, or nothing.
        device: Family, `Other` for desktops.
    """

    user_agent: str
    browser: str
    version: tuple[str, str, str]
    os: str
    os_version: str = ""
    device: str = "Other"


@dataclass(frozen=True)
class Access:
    """From where and by what means somebody reaches DocuSign.

    Attributes:
        ip: v4, v6 or nothing.
        place: Where the address is; None where DocuSign knows no location.
        client: None for programs.
        source: `Web`, `API`, `Mobile` or `Other`.
        integrator_key: The integration key as DocuSign writes it; empty for the web application.
        proxy_type: Kind of proxy the address is known for, such as `hosting`; mostly empty.
    """

    ip: str
    place: Place | None
    client: Client | None = None
    source: str = "Web"
    integrator_key: str = ""
    proxy_type: str = ""


@dataclass(frozen=True)
class What:
    """What happened, in DocuSign's five free strings."""

    object: str
    action: str
    property: str = ""
    field: str = ""
    result: str = ""


@dataclass(frozen=True)
class Account:
    """A DocuSign account of the organization."""

    id: str
    name: str
    site: str
    base_uri: str
    is_default: bool = False


@dataclass(frozen=True)
class IntegrationKey:
    """An application that calls DocuSign; `id` is spelled as in events (`<guid>` or `QTES-<guid>`)."""

    id: str
    name: str


@dataclass(frozen=True)
class User:
    """A member of one account.

    Attributes:
        id: GUID.
        name: As in the address book, often not ASCII.
        email: ASCII.
        account: The account the user belongs to.
        home: Where the user works.
        home_ip: The address at home.
        office_ip: The address of the office, shared with colleagues.
        clients: Usual browsers.
        hours: First and last working hour by the home's clock.
        second: Another office the user travels to, or None.
        second_ip: The address used there.
        is_admin: Administers the account.
        is_service: An application's user: no browser, no login, at work day and night.
        status: `Active` or `Closed`.
        created_on: When the user joined.
    """

    id: str
    name: str
    email: str
    account: Account
    home: Place
    home_ip: str
    office_ip: str
    clients: tuple[Client, ...]
    hours: tuple[int, int]
    created_on: datetime
    second: Place | None = None
    second_ip: str = ""
    is_admin: bool = False
    is_service: bool = False
    status: str = "Active"


@dataclass(frozen=True)
class Entry:
    """An event and the moment the Monitor stream took it in; insertion order is not time order."""

    inserted_at: datetime
    event: dict[str, object]


@dataclass(frozen=True)
class Incident:
    """Something a rule ought to find.

    Attributes:
        name: Such as `password-spray`.
        when: Time of the first event.
        who: Ids of the users whose names stand in the events.
        where: Address and country.
        event_ids: Every event of the incident, alerts included, in time order.
    """

    name: str
    when: datetime
    who: tuple[str, ...]
    where: str
    event_ids: tuple[str, ...]
