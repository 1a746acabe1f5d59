from collections.abc import Sequence

import pytest

from shared.answers import Action, Actor, Rule, rule_for
from shared.docusign.answers import API_ANSWERS, TOKEN_ANSWERS
from shared.ingestion.data_collector import ANSWERS

TAKEN = Rule((200,), Action.TAKE, Actor.NOBODY, "taken")
NO_CONSENT = Rule((400, 401), Action.STOP, Actor.DOCUSIGN_ADMIN, "no consent", says="Consent_Required")
BAD = Rule((400,), Action.STOP, Actor.OPERATOR, "bad")
DOWN = Rule(range(500, 600), Action.RETRY, Actor.NOBODY, "down")
ELSE = Rule(range(600), Action.STOP, Actor.OPERATOR, "odd")
TABLE = (TAKEN, NO_CONSENT, BAD, DOWN, ELSE)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, "anything", TAKEN),
        (400, '{"error":"CONSENT_required"}', NO_CONSENT),
        (401, "consent_required", NO_CONSENT),
        (400, "", BAD),
        (401, "", ELSE),
        (500, "", DOWN),
        (599, "consent_required", DOWN),
        (302, "", ELSE),
        (999, "", ELSE),
    ],
)
def test_rule_for(status: int, body: str, expected: Rule) -> None:
    """The first rule that fits status and words decides, and the last one takes everything else."""
    assert expected is rule_for(TABLE, status, body)


@pytest.mark.parametrize("table", [API_ANSWERS, TOKEN_ANSWERS, ANSWERS], ids=["api", "token", "workspace"])
class TestTables:
    """What holds for every table of the project."""

    def test_last_rule_takes_everything(self, table: Sequence[Rule]) -> None:
        """An answer that nobody documented has a rule, and it stops the run."""
        assert range(600) == table[-1].statuses
        assert "" == table[-1].says
        assert Action.STOP is table[-1].action

    def test_no_rule_is_shadowed(self, table: Sequence[Rule]) -> None:
        """Every rule decides some answer: none stands behind another that takes all of its own."""
        for rule in table:
            assert any(rule is rule_for(table, status, rule.says) for status in rule.statuses)

    def test_sentences(self, table: Sequence[Rule]) -> None:
        """A sentence has no full stop of its own, for it is put into a longer line."""
        assert all(rule.sentence and not rule.sentence.endswith(".") for rule in table)

    def test_retries_need_nobody(self, table: Sequence[Rule]) -> None:
        """What heals by itself asks nobody to act, and what asks somebody is not retried."""
        assert all(rule.actor is Actor.NOBODY for rule in table if rule.action is Action.RETRY)
