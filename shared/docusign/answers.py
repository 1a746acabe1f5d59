"""What DocuSign's answers mean, and what to do: a table each for the token endpoint, Monitor, and the directory.

Sources: DocuSign's pages on JWT Grant, API limits and the Monitor API. Bodies vary (`error`,
`error_description`, `errorCode`, `message`, HTML, nothing), so a rule looks for words anywhere in them.
"""

from shared.answers import Action, Actor, Rule
from shared.web import Answer

_LATER = "Nothing to do: the next run goes on from the same place"

_BUSY: tuple[Rule, ...] = (
    Rule(
        (400, 429),
        Action.RETRY,
        Actor.NOBODY,
        "the account's API calls for this hour are used up, by this or another app. " + _LATER,
        says="HOURLY_APIINVOCATION_LIMIT_EXCEEDED",
    ),
    Rule(
        (400, 429),
        Action.RETRY,
        Actor.NOBODY,
        "too many API calls at once. " + _LATER,
        says="BURST_APIINVOCATION_LIMIT_EXCEEDED",
    ),
    Rule((429,), Action.RETRY, Actor.NOBODY, "DocuSign throttles the account. " + _LATER),
    Rule((408, *range(500, 600)), Action.RETRY, Actor.NOBODY, "DocuSign failed. " + _LATER),
)

TOKEN_ANSWERS: tuple[Rule, ...] = (
    *_BUSY,
    Rule(
        (400, 401),
        Action.STOP,
        Actor.DOCUSIGN_ADMIN,
        "the user has not given consent. Open {consent_url} as that user and accept; the page after it may "
        "be a 404, and consent is recorded all the same",
        says="consent_required",
    ),
    Rule(
        (400, 401),
        Action.STOP,
        Actor.OPERATOR,
        "DOCUSIGN_USER_ID is not the GUID of an active user in this environment ({environment})",
        says="user_not_found",
    ),
    Rule(
        (400, 401),
        Action.STOP,
        Actor.OPERATOR,
        "DOCUSIGN_USER_ID is not the GUID of an active user in this environment ({environment})",
        says="invalid_subject",
    ),
    Rule(
        (400, 401),
        Action.STOP,
        Actor.OPERATOR,
        "DOCUSIGN_INTEGRATION_KEY is unknown in this environment ({environment}): a demo key works only with "
        "DOCUSIGN_ENVIRONMENT=demo, and a production key only after go-live",
        says="issuer_not_found",
    ),
    Rule(
        (400, 401),
        Action.RENEW,
        Actor.OPERATOR,
        "the private key in the secret {secret} does not belong to the integration key. Store the key that "
        "DocuSign's page Apps and Keys made for it",
        says="no_valid_keys_or_signatures",
    ),
    Rule(
        (400, 401),
        Action.STOP,
        Actor.OPERATOR,
        "the clock of this machine is off by more than DocuSign allows. Set it",
        says="expired_grant",
    ),
    Rule(
        (404,),
        Action.STOP,
        Actor.OPERATOR,
        "there is no token endpoint at this address. Check DOCUSIGN_ENVIRONMENT and DOCUSIGN_AUTH_URL",
    ),
    Rule(
        range(600),
        Action.STOP,
        Actor.OPERATOR,
        "DocuSign gives no token. Check DOCUSIGN_INTEGRATION_KEY, DOCUSIGN_USER_ID, the secret {secret} and "
        "DOCUSIGN_AUTH_URL",
    ),
)

API_ANSWERS: tuple[Rule, ...] = (
    *_BUSY,
    Rule(
        (401,),
        Action.RENEW,
        Actor.DOCUSIGN_ADMIN,
        "DocuSign rejects a token that it has just issued. See that the user is still active and its consent "
        "was not withdrawn",
    ),
    Rule(
        (403,),
        Action.STOP,
        Actor.DOCUSIGN_ADMIN,
        "the organization has no DocuSign Monitor. Ask DocuSign to add Monitor to the plan, or check "
        "DOCUSIGN_ORGANIZATION_ID",
        says="entitlement",
    ),
    Rule(
        (403,),
        Action.STOP,
        Actor.DOCUSIGN_ADMIN,
        "DocuSign refuses this user. One of: the organization has no DocuSign Monitor; the user is neither "
        "Organization Administrator nor Security Reports Administrator; the user administers two or more "
        "organizations and DOCUSIGN_ORGANIZATION_ID is not set; DOCUSIGN_ORGANIZATION_ID is another "
        "organization's",
    ),
    Rule(
        (404,),
        Action.ABSENT,
        Actor.OPERATOR,
        "there is nothing at this address. Check DOCUSIGN_ENVIRONMENT, DOCUSIGN_MONITOR_API, "
        "DOCUSIGN_ORGANIZATION_ID and DOCUSIGN_MONITOR_URL",
    ),
    Rule((400, 410, 422), Action.RESTART, Actor.NOBODY, "DocuSign does not take the cursor"),
    Rule(
        range(300, 400),
        Action.STOP,
        Actor.OPERATOR,
        "DocuSign's address redirects, which is never followed with a token. Look for a proxy in between; "
        "check DOCUSIGN_MONITOR_URL and DOCUSIGN_AUTH_URL",
    ),
    Rule(range(600), Action.STOP, Actor.OPERATOR, "DocuSign gave an answer that it does not document"),
)

DIRECTORY_ANSWERS: tuple[Rule, ...] = (
    *(rule for rule in API_ANSWERS if rule.action in (Action.RETRY, Action.RENEW)),
    Rule(
        (403,),
        Action.STOP,
        Actor.DOCUSIGN_ADMIN,
        "DocuSign does not let this user read users and accounts. Make it an Organization Administrator of "
        "DOCUSIGN_ORGANIZATION_ID, and see that its consent covers organization_read and user_read",
    ),
    Rule(
        (404,),
        Action.STOP,
        Actor.OPERATOR,
        "there is no directory at this address. Check DOCUSIGN_ENVIRONMENT, DOCUSIGN_ORGANIZATION_ID and "
        "DOCUSIGN_ADMIN_URL",
    ),
    Rule(
        range(300, 400),
        Action.STOP,
        Actor.OPERATOR,
        "DocuSign's directory redirects, which is never followed with a token. Look for a proxy in between; "
        "check DOCUSIGN_ADMIN_URL",
    ),
    Rule(
        range(600),
        Action.STOP,
        Actor.OPERATOR,
        "DocuSign's directory gave an answer that it does not document",
    ),
)
"""Of the Admin API and of the eSignature API's users."""


def trace(answer: Answer) -> str:
    """The answer's trace token, which DocuSign's support asks for."""
    return f"Trace token: {answer.headers.get('x-docusign-tracetoken', 'none')}"
