"""The verbs before the first run: `doctor` and `consent-url`."""

from dataclasses import asdict

import click

from operate.doctor import FAULT, NOT_CHECKED, OK, Doctor, Finding
from operate.output import Output
from operate.verbs import Environ, verb
from operate.waiting import teller
from shared.docusign.oauth import DIRECTORY_SCOPES, MONITOR_SCOPES, consent_url
from shared.settings import read_settings

_MARKS = {OK: ("ok         ", "green"), FAULT: ("FAULT      ", "red"), NOT_CHECKED: ("not checked", "yellow")}


@verb("doctor")
def doctor(environ: Environ, out: Output) -> int:
    """Check every dependency in turn: each line is ok, or the fault and its cure.

    Checked are the settings, the vault, the private key, DocuSign's token, the user's consent, the organization,
    the entitlement to DocuSign Monitor, storage, the lease, and the workspace. What depends on a fault is
    "not checked": mend the first fault and ask again. Nothing is changed, and no row reaches the workspace.

    From your own machine the checks use your own login: the roles of the app's identity show in its own runs.
    """
    findings: list[Finding] = []
    with out.partly(lambda: ({"findings": [asdict(finding) for finding in findings]}, [])):
        for finding in Doctor(environ, told=teller(out), broken=out.traceback).examine():
            findings.append(finding)
            if not out.as_json:
                _show(out, finding)
    out.result([asdict(finding) for finding in findings])
    return 0 if all(finding.state == OK for finding in findings) else 1


def _show(out: Output, finding: Finding) -> None:
    mark, colour = _MARKS[finding.state]
    first, *more = finding.detail.splitlines() or [""]
    out.line(f"{click.style(mark, fg=colour)}  {finding.check:<13} {first}")
    for line in more:
        out.line(f"{'':<27}{line}")


@verb("consent-url")
@click.option("--directory", is_flag=True, help="Also for users and accounts (DirectoryTimerTrigger).")
def consent(environ: Environ, out: Output, *, directory: bool) -> int:
    """Print the address where the DocuSign user gives consent, once.

    Open it signed in as the user of DOCUSIGN_USER_ID and accept. The page after that may be a 404: consent is
    recorded all the same. The redirect address https://www.docusign.com must be registered with the
    integration key (DocuSign's page Apps and Keys).
    """
    scopes = DIRECTORY_SCOPES if directory else MONITOR_SCOPES
    url = consent_url(read_settings(environ), scopes)
    out.result({"url": url, "scopes": scopes}, url)
    return 0
