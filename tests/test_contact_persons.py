"""The further persons at a customer: told by email, each once, under a key and a name of their own."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlmodel import col, select

from duebell.deciding.deciding import Rules
from duebell.errors import Permanent
from duebell.keys import (
    INVOICE_ISSUED,
    PAYMENT_RECEIVED,
    address_hash,
    contact_recipient,
    is_contact,
    person_of,
    person_recipient,
)
from duebell.ledger import legs, preferences
from duebell.ledger.engine import reading
from duebell.ledger.invariants import broken
from duebell.ledger.notifications import claim_all
from duebell.ledger.tables import Leg, Notification
from duebell.ledger.writing import writing
from duebell.model import ContactPerson
from duebell.planning.planning import plan_kind
from duebell.policy.persons import persons_of
from duebell.sending.resending import resend
from duebell.sending.telling import render
from duebell.states import NotificationState, Sending
from tests.support_facts import (
    CONTACT,
    INVOICE,
    MINUTE,
    MOBILE,
    NOW,
    OTHER_CONTACT,
    OTHER_MOBILE,
    TENANT,
    Hand,
    a_contact,
    accepted,
    begin,
    claim,
    conclude,
    keep_contact,
    keep_invoice,
    numbered,
    open_tenant,
    policy,
    resources_over,
)
from tests.support_overdue import Office, a_payment, at, due, office_over, policy_text

S = NotificationState
SHIPPED = Path(__file__).resolve().parents[1] / "deployments" / "policy.toml"
MAIN, ANA, BEN = "office@rimu.example", "ana@rimu.example", "ben@rimu.example"
BOTH = Rules(policy(channels=["sms", "email"]), Sending.LIVE)

addresses = st.emails().filter(lambda one: one.strip() == one)


def person(email: str, name: str = "Ana", *, included: bool = True) -> dict[str, Any]:
    """A contact person as Xero has it."""
    return {"FirstName": name, "LastName": "Test", "EmailAddress": email, "IncludeInEmails": included}


@pytest.fixture
def books(ledger: Engine) -> Engine:
    """An issued invoice of a customer with a mobile, an address, and one further person."""
    open_tenant(ledger)
    keep_invoice(ledger)
    keep(ledger, person(ANA))
    return ledger


def keep(engine: Engine, *persons: dict[str, Any], minute: int = 0, **fields: Any) -> None:
    fields = {"EmailAddress": MAIN, "FirstName": "Rua"} | fields
    keep_contact(engine, read_at=NOW + minute * MINUTE, ContactPersons=list(persons), **fields)


def planned(engine: Engine, rules: Rules = BOTH, *, minute: int = 0) -> list[tuple[str, str, str]]:
    """Who is told of the invoice by what channel, and how it stands, after it was planned."""
    with writing(engine, NOW + minute * MINUTE) as book:
        plan_kind(book, TENANT, INVOICE_ISSUED, [INVOICE], rules, actor="test", flow_run_id=None)
    return told(engine)


def told(engine: Engine) -> list[tuple[str, str, str]]:
    with reading(engine) as session:
        rows = session.exec(select(Notification).order_by("notification_id")).all()
        ways = {
            leg.notification_id: leg.channel for leg in session.exec(select(Leg)).all() if not leg.position
        }
        return [(person_of(row.recipient), ways.get(row.notification_id or 0, ""), row.state) for row in rows]


def sent(engine: Engine, notification_id: int = 1) -> None:
    """One of them is told."""
    now = NOW + 5 * MINUTE
    taken = claim(engine, notification_id, now=now)
    assert taken is not None
    assert begin(engine, taken, f"a{notification_id}", now=now) is not None
    conclude(engine, accepted(notification_id), f"a{notification_id}")


def reason(engine: Engine, notification_id: int = 2) -> str:
    with reading(engine) as session:
        return session.get_one(Notification, notification_id).reason


@given(addresses, addresses)
def test_a_person_s_key_is_the_same_exactly_where_the_address_is_but_for_its_capitals(
    one: str, other: str
) -> None:
    same = one.casefold() == other.casefold()
    assert (person_recipient("c", address_hash(one)) == person_recipient("c", address_hash(other))) is same
    assert address_hash(f" {one.upper().lower()} ") == address_hash(one.upper().lower())


@given(addresses)
def test_a_person_s_recipient_gives_the_hash_back_and_shows_no_address(address: str) -> None:
    recipient = person_recipient(CONTACT, address_hash(address))
    assert is_contact(recipient)
    assert person_of(recipient) == address_hash(address)
    assert recipient.startswith(f"{contact_recipient(CONTACT)}/")
    assert address not in recipient
    assert person_of(contact_recipient(CONTACT)) == person_of("team:accounts/abc") == ""


@given(st.lists(st.builds(ContactPerson, st.just("A"), st.just("B"), addresses | st.just(""), st.booleans())))
def test_everybody_who_is_included_is_told_once_and_the_customer_s_own_address_never(
    persons: list[ContactPerson],
) -> None:
    contact = a_contact(email=persons[0].email.upper() if persons else MAIN, persons=tuple(persons))
    found = persons_of(contact)
    wanted = {one.email.casefold() for one in persons if one.included and one.email}
    assert {one.email.casefold() for one in found.values()} == wanted - {contact.email.casefold()}
    assert all(address_hash(one.email) == key for key, one in found.items())


def test_a_person_who_is_included_in_emails_is_told_by_email_beside_the_customer(books: Engine) -> None:
    assert planned(books) == [("", "sms", S.PLANNED), (address_hash(ANA), "email", S.PLANNED)]
    assert planned(books, minute=1) == told(books)
    with reading(books) as session:
        row = session.get_one(Notification, 2)
        assert row.key == f"{TENANT}:invoice_issued:{INVOICE}::contact:{CONTACT}/{address_hash(ANA)}"
        assert [leg.address for leg in legs.of(session, 2)] == [ANA]


@pytest.mark.parametrize(
    ("lines", "channels"),
    [
        ({"channels": ["sms"]}, {"sms", "email"}),
        ({"channels": ["sms", "email"], "contact_persons": False}, {"sms", "email"}),
        ({"channels": ["sms", "email"]}, {"sms"}),
    ],
)
def test_where_no_email_may_go_out_or_the_policy_says_so_the_customer_alone_is_told(
    books: Engine, lines: dict[str, Any], channels: set[str]
) -> None:
    rules = Rules(policy(**lines), Sending.LIVE, frozenset(channels))
    assert planned(books, rules) == [("", "sms", S.PLANNED)]


def test_who_is_not_marked_or_shares_the_customer_s_address_is_not_told(books: Engine) -> None:
    keep(books, person(ANA, included=False), person(MAIN.upper()), person(BEN), person(BEN.upper()), minute=1)
    assert planned(books, minute=1) == [("", "sms", S.PLANNED), (address_hash(BEN), "email", S.PLANNED)]


def test_a_person_whose_address_cannot_be_used_is_left_out_with_the_reason(books: Engine) -> None:
    keep(books, person("ana@"), minute=1)
    assert planned(books, minute=1)[1][2] == S.SKIPPED
    assert reason(books) == "no_email:not_an_address"


@pytest.mark.parametrize("persons", [[], [person(ANA, included=False)], [person(BEN)]])
def test_a_person_who_is_removed_or_unmarked_before_it_is_sent_is_not_told(
    books: Engine, persons: list[dict[str, Any]]
) -> None:
    planned(books)
    keep(books, *persons, minute=1)
    assert planned(books, minute=1)[1] == (address_hash(ANA), "email", S.SKIPPED)
    assert reason(books) == "person_left_out"


def test_a_person_who_becomes_the_customer_s_own_address_is_not_told_twice(books: Engine) -> None:
    planned(books)
    keep(books, person(ANA), minute=1, EmailAddress=ANA)
    assert planned(books, minute=1)[1][2] == S.SKIPPED


def test_who_is_added_while_it_waits_is_told_and_who_is_added_later_is_not(books: Engine) -> None:
    planned(books)
    keep(books, person(ANA), person(BEN), minute=1)
    assert len(planned(books, minute=1)) == 3
    sent(books)
    keep(books, person(ANA), person(BEN), person("cy@rimu.example"), minute=2)
    assert len(planned(books, minute=2)) == 3
    assert broken(books) == []


def test_who_was_unmarked_and_is_marked_again_after_the_customer_was_told_hears_of_later_news_only(
    books: Engine,
) -> None:
    planned(books)
    keep(books, minute=1)
    planned(books, minute=1)
    sent(books)
    keep(books, person(ANA), minute=2)
    assert planned(books, minute=2)[1][2] == S.SKIPPED


def test_each_is_told_apart_and_an_opt_out_is_their_own(books: Engine) -> None:
    keep(books, person(ANA), person(BEN), minute=1)
    planned(books, minute=1)
    with writing(books, NOW) as book:
        preferences.refuse_address(book, ANA, "email", preferences.OPTED_OUT, "unsubscribe")
    assert [state for _, _, state in planned(books, minute=2)] == [S.PLANNED, S.SKIPPED, S.PLANNED]
    assert reason(books) == "opted_out"


def test_a_customer_who_was_merged_has_the_same_persons_under_the_first_keys(books: Engine) -> None:
    planned(books)
    keep_contact(books, OTHER_CONTACT, ContactPersons=[person(ANA)], EmailAddress=MAIN)
    keep(books, minute=1, ContactStatus="ARCHIVED", MergedToContactID=OTHER_CONTACT)
    assert planned(books, minute=1) == [("", "sms", S.PLANNED), (address_hash(ANA), "email", S.PLANNED)]


def test_each_is_greeted_by_their_own_name(books: Engine) -> None:
    resources, rules = resources_over(books, Hand()), Rules(policy(channels=["email"]), Sending.LIVE)
    with writing(books, NOW) as book:
        rows = plan_kind(book, TENANT, INVOICE_ISSUED, [INVOICE], rules, actor="test", flow_run_id=None)
        claims = claim_all(book, rows, "run 1")
    assert [render(resources, one) for one in claims] == [None, None]
    with reading(books) as session:
        greetings = [
            (leg.address, leg.text.partition(",")[0])
            for leg in session.exec(select(Leg).order_by(col(Leg.leg_id))).all()
        ]
    assert greetings == [(MAIN, "Hello Rua"), (ANA, "Hello Ana")]


# Payments and reminders: one message a person, whatever it is about.

DUE = date(2026, 11, 19)
CHANNELS = 'channels = ["sms", "email"]'
BY_BOTH = policy_text(CHANNELS).replace("[payment_received]", f"[payment_received]\n{CHANNELS}")


@pytest.fixture
def office(ledger: Engine, tmp_path: Path) -> Office:
    """Two overdue invoices of a customer with one further person; reminders may go by email."""
    now = at(DUE + timedelta(days=1))
    office = office_over(ledger, tmp_path, now, BY_BOTH, email_from="bills@kauri.example")
    open_tenant(ledger)
    keep(ledger, person(ANA))
    office.keeps(1, 2, **due(DUE))
    return office


def test_what_was_paid_on_one_day_is_one_message_for_each_person(office: Office) -> None:
    for number in (1, 2):
        office.keeps(number, AmountDue=100, Payments=[a_payment(number, 15, DUE)])
    office.runs([run for run in office.hears(1, 2) if run.kind == PAYMENT_RECEIVED])
    assert sorted(to for to, _ in office.phones.heard) == [MOBILE, ANA]
    assert "INV-0001, INV-0002" in office.phones.to(MOBILE)[0]
    assert office.phones.to(ANA)[0].startswith("Hello Ana,")
    assert broken(office.engine) == []


def test_each_person_has_one_reminder_of_all_invoices_and_the_next_one_keeps_its_distance(
    office: Office,
) -> None:
    office.day()
    assert sorted(to for to, _ in office.phones.heard) == [MOBILE, ANA]
    [text] = office.phones.to(ANA)
    assert text.startswith("Hello Ana,")
    assert "INV-0001" in text
    assert "INV-0002" in text
    office.keeps(3, **due(DUE + timedelta(days=1)))
    office.later(days=1)
    office.day()
    assert len(office.phones.heard) == 2
    assert {(state, reason) for number, _, state, reason in office.stands() if number == "3"} == {
        (S.HELD, "too_soon")
    }
    assert broken(office.engine) == []


def test_a_reminder_to_the_customer_does_not_hold_back_the_person_s_nor_the_other_way_round(
    office: Office,
) -> None:
    taken = office.claims([numbered(1), numbered(2)])
    for claimed in reversed(taken):
        assert office.says(claimed).state == S.ACCEPTED
    assert len(taken) == 2
    assert broken(office.engine) == []


def test_the_limits_of_a_day_count_by_address_whoever_shares_it(office: Office) -> None:
    keep_contact(office.engine, OTHER_CONTACT, OTHER_MOBILE, EmailAddress=ANA)
    office.day()
    office.keeps(4, Contact={"ContactID": OTHER_CONTACT}, **due(DUE))
    when = 'when = { kind = "invoice_overdue", contact = { email = "ana*" } }'
    rule = f'[[rule]]\n{when}\nthen = {{ channels = ["email"] }}'
    Path(office.resources.settings.policy).write_text(BY_BOTH + rule)
    office.day()
    assert [(state, reason) for number, _, state, reason in office.stands() if number == "4"] == [
        (S.HELD, "too_many")
    ]


# Saying it again.


def test_a_re_send_is_the_customer_s_unless_a_person_is_named(books: Engine) -> None:
    planned(books)
    sent(books)
    sent(books, 2)
    resources = resources_over(books, Hand(), DUEBELL_POLICY=str(SHIPPED), EMAIL_FROM="a@kauri.example")
    again = resend(resources, INVOICE, by="person:test", why="lost", kind=INVOICE_ISSUED)
    assert again.key.endswith(f"contact:{CONTACT}#1")
    hers = resend(resources, INVOICE, by="person:test", why="lost", to=ANA.upper())
    assert hers.key.endswith(f"/{address_hash(ANA)}#1")
    with pytest.raises(Permanent, match="to this person"):
        resend(resources, INVOICE, by="person:test", why="lost", to=BEN)


def test_a_person_can_be_named_by_the_end_of_the_key_that_is_shown(books: Engine) -> None:
    planned(books)
    sent(books)
    sent(books, 2)
    resources = resources_over(books, Hand(), DUEBELL_POLICY=str(SHIPPED), EMAIL_FROM="a@kauri.example")
    hers = resend(resources, INVOICE, by="person:test", why="lost", to=address_hash(ANA).upper())
    assert hers.key.endswith(f"/{address_hash(ANA)}#1")
    with pytest.raises(Permanent, match="to this person"):
        resend(resources, INVOICE, by="person:test", why="lost", to=address_hash(BEN))
