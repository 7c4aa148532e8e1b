"""One post of consents to Twilio, in halves where it fails as a whole: one bad consent holds up no other.

Twilio answers for each consent, but where it cannot serve or read one of them, for the whole request alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from duebell.errors import NotServed, Permanent, RateLimited, Transient
from duebell.ledger.consent_lines import Answer, Owed
from duebell.preferences.mirroring import Consent, Outcome, Source
from duebell.twilio.consents import ConsentItem, NoConsentApi, TwilioConsents

MOST_IN_A_ROW = 12
"""By so many, two bad ones of a post are told apart from the others; where more fail, Twilio itself ails."""

SOURCES: dict[tuple[Source, Consent], str] = {
    # Twilio's words for where a consent was given (twilio.com/docs/messaging/features/consent-api).
    (Source.WORD, Consent.OPT_OUT): "opt-out-message",
    (Source.WORD, Consent.OPT_IN): "opt-in-message",
    (Source.COMMAND, Consent.OPT_OUT): "offline",
    (Source.COMMAND, Consent.OPT_IN): "offline",
    (Source.REFUSAL, Consent.OPT_OUT): "others",
    (Source.XERO, Consent.OPT_OUT): "others",
}


@dataclass
class Posting:
    """One post. ``pace`` is waited for before each request; ``no_api`` says then why there is no API."""

    consents: TwilioConsents
    pace: Callable[[], None]
    no_api: str = ""
    failed: int = 0
    """How many requests in a row failed."""
    over: Answer | None = None
    """What is said of all that is not asked for any more."""

    def of(self, owed: Sequence[Owed]) -> dict[str, Answer]:
        """What came of each, by correlation id. Never raises for what Twilio answers."""
        if self.over is not None:
            return dict.fromkeys(_ids(owed), self.over)
        try:
            self.pace()
            told = self.consents.upsert([_item(one) for one in owed])
        except NoConsentApi as none:
            self.no_api = str(none)
            self.over = Answer(Outcome.NOT_OFFERED, str(none))
        except (NotServed, Permanent) as problem:
            return self._apart(owed, problem)
        except (RateLimited, Transient) as lost:
            self.over = Answer(Outcome.UNANSWERED, str(lost))
        else:
            self.failed = 0
            return {key: Answer(one.outcome, one.said) for key, one in told.items()}
        return dict.fromkeys(_ids(owed), self.over)

    def _apart(self, owed: Sequence[Owed], problem: NotServed | Permanent) -> dict[str, Answer]:
        """The same in halves: of whom Twilio does not take it is not told."""
        self.failed += 1
        if self.failed >= MOST_IN_A_ROW:
            self.over = Answer(Outcome.UNANSWERED, str(problem))
        if len(owed) > 1:
            half = len(owed) // 2
            return self.of(owed[:half]) | self.of(owed[half:])
        outcome = Outcome.REFUSED if isinstance(problem, Permanent) else Outcome.UNANSWERED
        return {owed[0].correlation_id: Answer(outcome, str(problem))}


def _ids(owed: Sequence[Owed]) -> list[str]:
    return [one.correlation_id for one in owed]


def _item(one: Owed) -> ConsentItem:
    source = SOURCES[one.source, one.status]
    return ConsentItem(one.correlation_id, one.address, one.sender, one.status.value, source, one.at)
