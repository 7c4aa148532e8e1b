"""What reminders say: one invoice or several, soon or late, to the customer and to the team."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine
from sqlmodel import col, select

from duebell.keys import INVOICE_ISSUED
from duebell.ledger.conclusions import Conclusion
from duebell.ledger.engine import reading
from duebell.ledger.invariants import broken
from duebell.ledger.notifications import claim_all
from duebell.ledger.tables import Attempt, Leg, Notification
from duebell.ledger.writing import writing
from duebell.planning.planning import plan_kind
from duebell.render.segments import segments
from duebell.sending.telling import render, rules_of
from duebell.states import AttemptState, NotificationState
from tests.support_facts import (
    MOBILE,
    OTHER_CONTACT,
    OTHER_MOBILE,
    TENANT,
    conclude,
    keep_contact,
    numbered,
    open_tenant,
    resources_over,
)
from tests.support_overdue import TEAM_PHONE, Office, at, due, office_over, policy_text

S = NotificationState
DUE = date(2026, 11, 2)
DAY = timedelta(days=1)
SHIPPED = Path(__file__).resolve().parents[1] / "deployments" / "templates"
EMAIL = "rimu@example.com"


def opened(engine: Engine, folder: Path, days_late: int, text: str | None = None) -> Office:
    open_tenant(engine, short_code="!mBdtL")
    keep_contact(engine, EmailAddress=EMAIL, FirstName="Ana")
    return office_over(engine, folder, at(DUE + days_late * DAY), text)


def said(office: Office, number: str = MOBILE) -> str:
    office.day()
    [text] = office.phones.to(number)
    return text


def rule(then: str, when: str = 'kind = "invoice_overdue"') -> str:
    return policy_text(rest=f'[[rule]]\nname = "mine"\nwhen = {{ {when} }}\nthen = {{ {then} }}')


@pytest.mark.parametrize(
    ("days_late", "text"),
    [
        (-3, "invoice INV-0001 for $115.00 is due on 2 Nov 2026. Thank you."),
        (0, "invoice INV-0001 for $115.00 is due on 2 Nov 2026. Thank you."),
        (7, "invoice INV-0001 for $115.00 was due on 2 Nov 2026 and is still open. "
            "If you have just paid, thank you."),
        (30, "invoice INV-0001 for $115.00 was due on 2 Nov 2026 and is still open. "
             "Please arrange payment now, or contact us."),
    ],
)  # fmt: skip
def test_one_invoice_is_one_segment_and_says_who_what_and_when(
    sqlite_ledger: Engine, tmp_path: Path, days_late: int, text: str
) -> None:
    office = opened(sqlite_ledger, tmp_path, days_late)
    office.keeps(1, **due(DUE))
    message = said(office)
    assert message == f"Kauri Test Limited: {text}"
    assert segments(message).parts == 1


def test_several_that_are_due_soon_are_told_together_with_their_sum(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    office = opened(sqlite_ledger, tmp_path, -3)
    office.keeps(1, **due(DUE))
    office.keeps(2, **due(DUE + DAY * 0))
    assert said(office) == (
        "Kauri Test Limited: 2 invoices are due by 2 Nov 2026, $230.00 in all: INV-0001, INV-0002. Thank you."
    )


ON_THE_DAY = '[[invoice_overdue.stage]]\nname = "today"\ndays = 0\n'
SATURDAY, MONDAY = DUE + 5 * DAY, DUE + 7 * DAY
WAS_DUE = (
    "Kauri Test Limited: invoice INV-0001 for $115.00 was due on 7 Nov 2026 and is still open. "
    "If you have just paid, thank you."
)


@pytest.mark.parametrize("swept_on", [SATURDAY, MONDAY])
def test_the_stage_of_the_due_date_says_after_a_weekend_that_it_was_due(
    sqlite_ledger: Engine, tmp_path: Path, swept_on: date
) -> None:
    office = opened(sqlite_ledger, tmp_path, 5, ON_THE_DAY)
    office.keeps(1, **due(SATURDAY))
    office.clock.now = at(swept_on)
    office.sweeps()
    office.clock.now = at(MONDAY, 10, 1)
    office.nets()
    assert office.phones.to(MOBILE) == [WAS_DUE]


def test_what_was_due_and_what_is_due_today_are_told_apart(sqlite_ledger: Engine, tmp_path: Path) -> None:
    text = policy_text("gap_days = 0", rest=f"[limits]\nreminders_a_day = 9\n{ON_THE_DAY}")
    office = opened(sqlite_ledger, tmp_path, 7, text)
    office.keeps(1, **due(SATURDAY))
    office.keeps(2, 3, **due(MONDAY))
    office.day()
    assert office.phones.to(MOBILE) == [
        WAS_DUE,
        "Kauri Test Limited: 2 invoices are due by 9 Nov 2026, $230.00 in all: INV-0002, INV-0003. "
        "Thank you.",
    ]


def test_what_the_turn_of_the_day_makes_overdue_is_not_said_with_what_is_due_later(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    soon = '[[invoice_overdue.stage]]\nname = "soon"\ndays = -3\n'
    office = opened(sqlite_ledger, tmp_path, 0, policy_text(rest=soon + ON_THE_DAY))
    office.clock.now = at(DUE, 23, 59)
    office.keeps(1, **due(DUE))
    office.keeps(2, **due(DUE + 2 * DAY))
    [claim] = office.claims([numbered(1), numbered(2)])
    office.later(seconds=61)
    office.keeps(1, **due(DUE))
    office.keeps(2, **due(DUE + 2 * DAY))
    office.says(claim)
    assert office.phones.to(MOBILE) == [WAS_DUE.replace("7 Nov", "2 Nov")]
    office.nets()
    assert ("2", "soon", "held", "too_soon") in office.stands()


def test_what_is_due_longest_gives_a_message_about_several_its_tone(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    office = opened(sqlite_ledger, tmp_path, 1)
    office.keeps(1, **due(DUE))
    office.keeps(2, **due(DUE - 13 * DAY))
    assert said(office) == (
        "Kauri Test Limited: 2 invoices are overdue, $230.00 in all: INV-0002, INV-0001. "
        "Please arrange payment now, or contact us."
    )


def test_the_team_reads_who_owes_what_since_when_and_where_to_look(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    office = opened(sqlite_ledger, tmp_path, 14)
    office.keeps(1, **due(DUE))
    link = f"https://go.xero.com/app/!mBdtL/invoicing/view/{numbered(1)}"
    assert said(office, TEAM_PHONE) == f"Rimu Test Limited owes $115.00 on INV-0001, 14 days late. {link}"


def test_a_team_reads_of_an_invoice_whose_customer_was_never_read(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    office = opened(sqlite_ledger, tmp_path, 14)
    unknown = {"ContactID": OTHER_CONTACT, "Name": "Nikau Test Limited"}
    office.keeps(1, **due(DUE, Contact=unknown))
    assert said(office, TEAM_PHONE).startswith("Nikau Test Limited owes $115.00")
    assert ("1", "third", "skipped", "no_contact") in office.stands()


def emails(engine: Engine) -> dict[str, Leg]:
    with reading(engine) as session:
        rows = session.exec(select(Leg, Notification.recipient).join(Notification)).all()
    return {recipient.partition(":")[0]: leg for leg, recipient in rows if leg.text}


@pytest.mark.parametrize("count", [1, 3, 25])
def test_emails_list_every_invoice_up_to_twenty_and_count_the_rest(
    sqlite_ledger: Engine, tmp_path: Path, count: int
) -> None:
    text = policy_text('channels = ["email"]', 'emails = ["team@example.com"]')
    text = text.replace(f'phones = ["{TEAM_PHONE}"]', "phones = []")
    office = opened(sqlite_ledger, tmp_path, 14, text)
    office = with_email(office, tmp_path)
    for number in range(1, count + 1):
        office.keeps(number, **due(DUE))
    rendered(office)
    mine, teams = emails(office.engine)["contact"], emails(office.engine)["team"]
    assert mine.text.startswith("Hello Ana,\n\n$")
    for leg in (mine, teams):
        assert leg.text.count("INV-00") == min(count, 20)
        assert ("And 5 more" in leg.text) is (count == 25)
        assert "14 days overdue" in leg.text
    assert "https://go.xero.com/app/!mBdtL/invoicing/view/" in teams.text
    assert "go.xero.com" not in mine.text
    assert mine.email_subject == (
        "Kauri Test Limited: invoice INV-0001 for $115.00 is overdue"
        if count == 1
        else f"Kauri Test Limited: {count} invoices for ${115 * count:,}.00 are overdue"
    )


def with_email(office: Office, folder: Path) -> Office:
    office.resources = resources_over(
        office.engine,
        office.clock,
        twilio=office.phones,
        DUEBELL_POLICY=str(folder / "policy.toml"),
        EMAIL_FROM="Kauri <accounts@kauri.example>",
    )
    return office


def rendered(office: Office) -> None:
    for run in office.sweeps().runs:
        for claim in office.claims(run.record_ids):
            assert render(office.resources, claim) is None


def test_a_rule_may_silence_the_customer_and_the_team_still_hears(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    office = opened(sqlite_ledger, tmp_path, 14, rule("silence = true"))
    office.keeps(1, **due(DUE))
    office.day()
    assert office.phones.to(MOBILE) == []
    assert len(office.phones.to(TEAM_PHONE)) == 1
    assert ("1", "third", "skipped", "silenced_by_rule") in office.stands()


def test_a_rule_gives_another_tone(sqlite_ledger: Engine, tmp_path: Path) -> None:
    office = opened(sqlite_ledger, tmp_path, 1, rule('tone = "firm"', 'stage = "overdue"'))
    office.keeps(1, **due(DUE))
    assert said(office).endswith("Please arrange payment now, or contact us.")


def issued(office: Office) -> list[tuple[str, str]]:
    with writing(office.engine, office.clock.now) as book:
        rules = rules_of(office.resources)
        rows = plan_kind(
            book, TENANT, INVOICE_ISSUED, [numbered(1)], rules, actor="test", flow_run_id="run 1"
        )
        claims = claim_all(book, rows, "run 1")
        standing = [(row.state, row.reason) for row in rows]
    return [(one.state, one.reason) for one in map(office.says, claims)] or standing


ISSUED = 'kind = "invoice_issued"'


def test_a_rule_silences_other_kinds_too(sqlite_ledger: Engine, tmp_path: Path) -> None:
    office = opened(sqlite_ledger, tmp_path, -9, rule("silence = true", ISSUED))
    office.keeps(1, **due(DUE, DateString="2026-10-23T00:00:00"))
    assert issued(office) == [(S.SKIPPED, "silenced_by_rule")]


def test_a_rules_channels_take_the_place_of_the_kinds(sqlite_ledger: Engine, tmp_path: Path) -> None:
    office = opened(sqlite_ledger, tmp_path, -9, rule('channels = ["email"]', ISSUED))
    office.keeps(1, **due(DUE, DateString="2026-10-23T00:00:00"))
    assert issued(office) == [(S.SKIPPED, "no_way")]


def test_a_rules_template_is_a_folder_within_its_kinds(sqlite_ledger: Engine, tmp_path: Path) -> None:
    office = opened(sqlite_ledger, tmp_path, 1, rule('template = "day-1"'))
    office = with_templates(office, tmp_path, "{{ organisation }} says {{ tone }}")
    office.keeps(1, **due(DUE))
    assert said(office) == "Kauri Test Limited says friendly"


def with_templates(office: Office, folder: Path, text: str | None) -> Office:
    place = folder / "templates" / "invoice_overdue" / "day-1" / "en"
    place.mkdir(parents=True)
    if text:
        (place / "sms.txt").write_text(text)
    office.resources = resources_over(
        office.engine,
        office.clock,
        twilio=office.phones,
        DUEBELL_POLICY=str(folder / "policy.toml"),
        DUEBELL_TEMPLATES=str(folder / "templates"),
    )
    return office


def test_a_template_that_is_not_there_holds_the_message_and_names_rule_and_file(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    office = with_templates(opened(sqlite_ledger, tmp_path, 1, rule('template = "day-1"')), tmp_path, None)
    office.keeps(1, **due(DUE))
    office.day()
    [(_, _, state, reason)] = office.stands()
    assert state == S.HELD
    assert reason.startswith(
        "template:rule 1 (mine) wants the template: invoice_overdue/day-1/en/sms.txt is not"
    )


def test_an_organisation_of_its_own_policy_is_decided_by_that(sqlite_ledger: Engine, tmp_path: Path) -> None:
    own = f'[tenant."{TENANT}".invoice_overdue]\nminimum = {{ NZD = 500 }}'
    office = opened(sqlite_ledger, tmp_path, 1, policy_text(rest=own))
    office.keeps(1, **due(DUE))
    office.day()
    assert office.stands() == [("1", "overdue", "skipped", "below_minimum")]


def test_a_name_or_a_reference_that_looks_like_a_template_is_said_as_it_is(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    office = opened(sqlite_ledger, tmp_path, 14)
    keep_contact(sqlite_ledger, OTHER_CONTACT, OTHER_MOBILE, Name="{{ 7 * 7 }} {%x%} Ltd")
    office.keeps(1, **due(DUE, Contact={"ContactID": OTHER_CONTACT}))
    assert said(office, TEAM_PHONE).startswith("{{ 7 * 7 owes $115.00")


def test_a_message_that_did_not_arrive_is_followed_by_its_next_channel_and_not_held_by_itself(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    office = opened(sqlite_ledger, tmp_path, 1, policy_text('channels = ["sms", "email"]'))
    office = with_email(office, tmp_path)
    office.keeps(1, 2, **due(DUE))
    office.day()
    [attempt] = attempts(office.engine)
    failed = Conclusion(
        AttemptState.ACCEPTED, S.UNDELIVERED, sid=attempt.sid, provider_status="undelivered",
        error_code=30003, falls_back=True,
    )  # fmt: skip
    conclude(office.engine, failed, attempt.attempt_id, now=office.clock.now)
    office.later(days=1, minutes=1)
    [claim] = [*office.claims([numbered(1)])]
    office.resources.twilio_http.close()
    office.resources = replace(
        office.resources, twilio_http=httpx.Client(transport=httpx.MockTransport(takes))
    )
    assert office.says(claim).state == S.ACCEPTED
    assert [one.address for one in attempts(office.engine)] == [MOBILE, EMAIL]
    assert broken(office.engine) == []


def takes(request: httpx.Request) -> httpx.Response:
    assert request.url.path == "/v1/Emails"
    return httpx.Response(202, json={"operationId": OPERATION, "operationLocation": "x"})


OPERATION = "comms_operation_01h9krwprkeee8fzqspvwy6nq8"


def attempts(engine: Engine) -> list[Attempt]:
    with reading(engine) as session:
        return list(session.exec(select(Attempt).order_by(col(Attempt.started_at))).all())
