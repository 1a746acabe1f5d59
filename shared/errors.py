"""Every error that a person can meet, grouped by who must act.

::

    ConnectorError
    ├── OperatorError             whoever runs the app must act; retrying cannot help
    │   ├── SettingsError         app settings are missing or wrong
    │   ├── SecretError           Key Vault refuses, or a secret is unusable
    │   ├── StorageRefused        the storage account refuses
    │   ├── StateError            a blob of state is unreadable, or newer than this version
    │   ├── IngestionRefused      the workspace refuses the way it is called
    │   ├── AnswerTooLarge        an answer has more bytes than are held: a proxy, or a page of events
    │   ├── NetworkRefused        the way to a service is closed: a certificate, a proxy, an address, a CA file
    │   └── NothingThere          DocuSign has nothing at an address: `auto` goes on to the other generation
    ├── DocuSignRefused           a DocuSign administrator must act; retrying cannot help
    │   └── CursorRefused         DocuSign does not take the cursor: the run recovers by itself
    ├── ServiceUnavailable        nobody must act: a service or the network is down, the next run goes on
    └── LeaseError
        ├── AlreadyRunning        another run holds the lease: this one leaves politely
        └── LeaseLost             another run took the lease: this one ships and saves nothing more

Each carries one sentence that names the thing and the cure. No secret, token or event is ever part of it.
"""


class ConnectorError(Exception):
    """The root: `str(error)` is fit to be shown to a person."""


class OperatorError(ConnectorError):
    """Whoever runs the app must act."""


class SettingsError(OperatorError):
    """One or more app settings are missing or wrong; every fault is in `faults`.

    Attributes:
        faults: One sentence a fault, each opening with the setting's name.
    """

    def __init__(self, faults: list[str]) -> None:
        super().__init__("Wrong settings: " + " | ".join(faults))
        self.faults = faults


class SecretError(OperatorError):
    """Key Vault does not give a secret, or what it gives is unusable."""


class StorageRefused(OperatorError):
    """The storage account refuses: a missing role, a firewall, a wrong name."""


class StateError(OperatorError):
    """A blob of state cannot be read or was written by a later version."""


class IngestionRefused(OperatorError):
    """The workspace refuses for a reason that lies in the configuration."""


class NetworkRefused(OperatorError):
    """The way to a service is closed for a reason that lasts: a certificate, a proxy's login, an address."""


class AnswerTooLarge(OperatorError):
    """An answer has more bytes than are held; a page of events is asked for again with fewer of them."""


class NothingThere(OperatorError):
    """DocuSign has nothing at the address."""


class DocuSignRefused(ConnectorError):
    """DocuSign refuses for a reason that its administrator can mend."""


class CursorRefused(DocuSignRefused):
    """DocuSign does not take the cursor: it expired, or belongs to the other generation of the API."""


class ServiceUnavailable(ConnectorError):
    """A service failed in a way that heals without anybody's help.

    Attributes:
        retry_after: Seconds that the service asked to wait, or None.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class LeaseError(ConnectorError):
    """The lease on the checkpoint is not ours."""


class AlreadyRunning(LeaseError):
    """Another run holds the lease."""


class LeaseLost(LeaseError):
    """The lease was ours and no longer is."""
