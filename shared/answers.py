"""What to do about an answer, as data: status -> action -> who must act -> sentence.

Each service has a table of `Rule`s beside its client. The first rule that fits an answer decides.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class Action(Enum):
    """What the caller does about an answer."""

    TAKE = "take"  # it is what was asked for
    RETRY = "retry"  # back off, within the run's budget
    RENEW = "renew"  # read the credential again, once, then stop
    SPLIT = "split"  # halve the batch until the bad record stands alone
    SPLIT_ONCE = "split once"  # halve the batch, and stop when a half is refused alike
    RESTART = "restart"  # the cursor is not taken: begin again before the last delivered event
    ABSENT = "absent"  # nothing at this address: another generation of the API may be there
    STOP = "stop"  # retrying cannot help


class Actor(Enum):
    """Who must act so that it works again."""

    NOBODY = "nobody"
    OPERATOR = "operator"
    DOCUSIGN_ADMIN = "DocuSign administrator"


@dataclass(frozen=True)
class Rule:
    """One line of an answer table.

    Attributes:
        statuses: The HTTP statuses it is for.
        says: Text that the answer's body must contain, in any case; empty fits every body.
        action: What to do.
        actor: Who must act.
        sentence: What happened and the cure, for a person; may hold `{placeholders}`.
    """

    statuses: range | tuple[int, ...]
    action: Action
    actor: Actor
    sentence: str
    says: str = ""

    def fits(self, status: int, body: str) -> bool:
        """Whether this rule is for such an answer."""
        return status in self.statuses and self.says.lower() in body.lower()


def rule_for(table: Sequence[Rule], status: int, body: str) -> Rule:
    """The first rule of the table that fits; the last one is for everything else."""
    return next((rule for rule in table if rule.fits(status, body)), table[-1])
