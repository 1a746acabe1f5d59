"""The cities of the organization, and those its intruders call from.

Addresses come from the documentation ranges (RFC 5737, RFC 3849): offices from 198.51.100.0/24, homes from
203.0.113.0/24 and 2001:db8::/32, intruders from 192.0.2.0/24. None of them can be anybody's.
"""

from sandbox.organization.model import Place

NEW_YORK = Place("new york", "new york", "united states", 40.71, -74.01, -5)
CHICAGO = Place("chicago", "illinois", "united states", 41.88, -87.63, -6)
SEATTLE = Place("seattle", "washington", "united states", 47.6, -122.33, -8)
TORONTO = Place("toronto", "ontario", "canada", 43.65, -79.38, -5)
LONDON = Place("london", "england", "united kingdom", 51.51, -0.13, 0)
PARIS = Place("paris", "ile-de-france", "france", 48.86, 2.35, 1)
BERLIN = Place("berlin", "berlin", "germany", 52.52, 13.4, 1)
WARSAW = Place("warsaw", "mazowieckie", "poland", 52.23, 21.01, 1)
MUMBAI = Place("mumbai", "maharashtra", "india", 19.08, 72.88, 5.5)
BENGALURU = Place("bengaluru", "karnataka", "india", 12.97, 77.59, 5.5)
TOKYO = Place("tokyo", "tokyo", "japan", 35.68, 139.69, 9)
SAO_PAULO = Place("sao paulo", "sao paulo", "brazil", -23.55, -46.63, -3)

DATA_CENTER = Place("ashburn", "virginia", "united states", 39.04, -77.49, -5)

CHISINAU = Place("chisinau", "chisinau", "moldova", 47.01, 28.86, 2)
SINGAPORE = Place("singapore", "singapore", "singapore", 1.35, 103.82, 8)
LAGOS = Place("lagos", "lagos", "nigeria", 6.52, 3.38, 1)

STAFF = {
    NEW_YORK: 26,
    CHICAGO: 14,
    SEATTLE: 12,
    TORONTO: 8,
    LONDON: 18,
    PARIS: 10,
    BERLIN: 16,
    WARSAW: 10,
    MUMBAI: 12,
    BENGALURU: 8,
    TOKYO: 10,
    SAO_PAULO: 8,
}
"""How many people work in each city."""

SECOND_OFFICES = {
    NEW_YORK: (CHICAGO, TORONTO),
    CHICAGO: (NEW_YORK, TORONTO),
    TORONTO: (NEW_YORK,),
    LONDON: (PARIS, BERLIN),
    PARIS: (LONDON,),
    BERLIN: (LONDON, WARSAW),
    WARSAW: (BERLIN,),
    MUMBAI: (BENGALURU,),
    BENGALURU: (MUMBAI,),
}
"""Where people travel for a day: one night's train or an early flight, never an impossible trip."""


def office_ip(place: Place) -> str:
    """Return the one address behind which everybody in an office works."""
    return f"198.51.100.{10 * (list(STAFF).index(place) + 1)}"
