"""What a person writes back is heeded at once, however they write it, and before Twilio is answered."""

import re
from urllib.parse import urldefrag

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine
from sqlmodel import select

from deployments.children import ROOT
from deployments.receiver.app import make_app
from duebell.ledger import preferences, tables, wishes
from duebell.ledger.engine import reading
from duebell.ledger.inbound import revocations
from duebell.ledger.writing import writing
from duebell.preferences.preferring import address_on
from duebell.twilio.callbacks import callback_url
from duebell.twilio.inbound import INBOUND_PATH, Wish, wish_of
from duebell.twilio.signature import callback_is_genuine
from tests.support_receiver import ACCOUNT, NOW, PUBLIC, TOKEN, ask, form, parts, signed_twilio

PERSON, OURS = "+64211234567", "+64210000000"
NOTHING = b'<?xml version="1.0" encoding="UTF-8"?><Response/>'


@pytest.mark.parametrize(
    ("body", "wish"),
    [
        ("STOP", Wish.STOP), ("Stop.", Wish.STOP), (" stop \n", Wish.STOP),
        ("\uff33\uff34\uff2f\uff30", Wish.STOP),
        ('"Stop"', Wish.STOP), ("StopAll", Wish.STOP), ("stop all", Wish.STOP),
        ("UNSUBSCRIBE", Wish.STOP), ("Opt-out", Wish.STOP), ("revoke", Wish.STOP), ("end", Wish.STOP),
        ("please stop texting me", Wish.REVOKES), ("Stop please", Wish.REVOKES),
        ("Don\u2019t text me again", Wish.REVOKES), ("do not contact me", Wish.REVOKES),
        ("wrong number", Wish.REVOKES), ("No more messages!", Wish.REVOKES),
        ("START", Wish.START), ("unstop", Wish.START), ("Start!", Wish.START),
        ("Yes", Wish.YES), (" yes \n", Wish.YES), ("Yes!", Wish.AGAIN), ("\uff39es", Wish.AGAIN),
        ("HELP", Wish.HELP), ("info", Wish.HELP),
        ("Paid this morning, thanks", Wish.NOTHING), ("yes I will pay on Friday", Wish.NOTHING),
        ("", Wish.NOTHING), ("helpful, thanks", Wish.NOTHING), ("the weekend", Wish.NOTHING),
    ],
)  # fmt: skip
def test_f095_a_word_is_heeded_and_a_sentence_is_for_a_person(body: str, wish: Wish) -> None:
    assert wish_of(body) is wish


@pytest.mark.parametrize("body", ["\u200fSTOP", "\u2066Stop\u2069", "STÓP", "stop\ufeff"])
def test_a_word_is_the_same_with_the_marks_that_a_telephone_writes_around_it(body: str) -> None:
    assert wish_of(body) is Wish.STOP


def test_what_twilio_read_itself_goes_before_the_words() -> None:
    assert wish_of("ARRET", "STOP") is Wish.STOP
    assert wish_of("hallo", "START") is Wish.START
    assert wish_of("yes", "STOP") is Wish.STOP
    assert wish_of("yes", "START") is Wish.YES, "it may be an answer to anything"


def inbound(body: str, sid: str = "SM" + "1" * 32, **changes: str) -> dict[str, str]:
    usual = {
        "MessageSid": sid, "SmsSid": sid, "AccountSid": ACCOUNT, "From": PERSON, "To": OURS,
        "Body": body, "NumMedia": "0", "FromCity": "", "SmsStatus": "received", "ApiVersion": "2010-04-01",
    }  # fmt: skip
    return usual | changes


def writes(engine: Engine, body: str, sid: str = "SM" + "1" * 32, **changes: str) -> tuple[int, bytes]:
    fields = inbound(body, sid, **changes)
    headers = signed_twilio(fields, "", path=INBOUND_PATH)
    answer = ask(make_app(parts(engine, TWILIO_FROM=OURS)), "POST", INBOUND_PATH, form(fields), headers)
    return answer.status_code, answer.content


def refusals(engine: Engine) -> dict[str, str]:
    with reading(engine) as session:
        return preferences.refusals(session, [PERSON])


def evidence(engine: Engine) -> str:
    with reading(engine) as session:
        return session.get_one(tables.Preference, (PERSON, "sms")).evidence


def test_f095_stop_is_remembered_with_its_evidence_and_answered_with_no_word(ledger: Engine) -> None:
    assert writes(ledger, "Stop.") == (200, NOTHING)
    assert refusals(ledger) == {PERSON: "opted_out"}
    assert evidence(ledger) == "inbound:stop SM" + "1" * 32


def test_start_lifts_what_stop_set_and_a_second_delivery_of_stop_does_not_come_back(ledger: Engine) -> None:
    writes(ledger, "STOP")
    writes(ledger, "START", "SM" + "2" * 32)
    assert refusals(ledger) == {}
    assert writes(ledger, "STOP") == (200, NOTHING)
    assert refusals(ledger) == {}


@pytest.mark.parametrize(
    ("said", "left"), [("twilio:21610 attempt:a1", {}), ("a person of the business", {PERSON: "opted_out"})]
)
def test_start_lifts_nothing_that_somebody_else_set(ledger: Engine, said: str, left: dict[str, str]) -> None:
    with writing(ledger, NOW) as book:
        preferences.refuse_address(book, PERSON, "sms", preferences.OPTED_OUT, said)
    writes(ledger, "START")
    assert refusals(ledger) == left


@pytest.mark.parametrize("sender", [f"rcs:{PERSON}", f"RCS:{PERSON}"])
def test_what_comes_over_rcs_is_heeded_as_if_it_had_come_by_sms(ledger: Engine, sender: str) -> None:
    over_rcs = {"From": sender, "To": "rcs:kauri_agent", "MessagingServiceSid": "MG" + "1" * 32}
    assert writes(ledger, "please stop", "SM" + "1" * 32, **over_rcs) == (200, NOTHING)
    assert [one.address for one in revocations(ledger)] == [PERSON]
    assert writes(ledger, "STOP", "SM" + "2" * 32, **over_rcs) == (200, NOTHING)
    assert refusals(ledger) == {PERSON: "opted_out"}
    with reading(ledger) as session:
        wish = wishes.known(session, [PERSON])[PERSON]
    assert wish.said_to == {"MG" + "1" * 32, "rcs:kauri_agent"}
    writes(ledger, "START", "SM" + "3" * 32)
    assert refusals(ledger) == {}


def test_who_answers_from_a_mexican_mobile_is_the_one_who_was_written_to(ledger: Engine) -> None:
    assert writes(ledger, "STOP", From="+5215512345678") == (200, NOTHING)
    with reading(ledger) as session:
        assert preferences.refusals(session, ["+525512345678"]) == {"+525512345678": "opted_out"}
    assert address_on("+5215512345678", "sms") == address_on("+52 55 1234 5678", "sms") == "+525512345678"


@pytest.mark.parametrize("sender", ["+525512345678", "+15215551234", PERSON, "+52155123456"])
def test_no_other_number_is_written_otherwise(ledger: Engine, sender: str) -> None:
    writes(ledger, "STOP", From=sender)
    with reading(ledger) as session:
        assert preferences.refusals(session, [sender]) == {sender: "opted_out"}


def test_a_start_to_a_number_of_the_account_that_is_no_sender_of_ours_lifts_nothing(ledger: Engine) -> None:
    writes(ledger, "STOP")
    assert writes(ledger, "START", "SM" + "2" * 32, To="+64990000000") == (200, NOTHING)
    assert refusals(ledger) == {PERSON: "opted_out"}
    writes(ledger, "START", "SM" + "3" * 32)
    assert refusals(ledger) == {}


def test_a_wish_in_other_words_changes_nothing_and_is_kept_for_a_person(ledger: Engine) -> None:
    assert writes(ledger, "please stop texting me") == (200, NOTHING)
    assert refusals(ledger) == {}
    with reading(ledger) as session:
        [row] = session.exec(select(tables.InboundText)).all()
    assert (row.wish, row.body) == ("revokes", "please stop texting me")


def test_what_twilio_did_not_sign_stops_nobody(ledger: Engine) -> None:
    fields = inbound("STOP")
    headers = signed_twilio(fields | {"Body": "hello"}, "", path=INBOUND_PATH)
    answer = ask(make_app(parts(ledger)), "POST", INBOUND_PATH, form(fields), headers)
    assert answer.status_code == 403
    assert writes(ledger, "STOP", AccountSid="AC" + "9" * 32)[0] == 403
    assert refusals(ledger) == {}


def test_a_message_that_comes_from_no_number_is_acknowledged_and_dropped(ledger: Engine) -> None:
    assert writes(ledger, "STOP", From="whatsapp:+64211234567") == (200, NOTHING)
    assert writes(ledger, "STOP", From="") == (200, NOTHING)
    assert writes(ledger, "STOP", From="rcs:kauri_agent") == (200, NOTHING)
    assert refusals(ledger) == {}


def test_the_address_to_give_twilio_has_a_stop_that_meets_a_busy_ledger_come_again() -> None:
    """By default Twilio comes again only where it could not connect: a 503 would lose what was written."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    given = re.findall(r"`<DUEBELL_PUBLIC_URL>(/webhooks/twilio/inbound[^`]*)`", readme)
    status = urldefrag(callback_url(PUBLIC, "a1") or "")
    assert status.fragment
    assert {str(one) for one in given} == {f"{INBOUND_PATH}#{status.fragment}"}


def test_twilio_signs_that_address_without_what_steers_its_connection() -> None:
    fields = inbound("STOP")
    signature = signed_twilio(fields, "", path=INBOUND_PATH)["x-twilio-signature"]
    for url in (f"{PUBLIC}{INBOUND_PATH}#rc=5&rp=all", f"{PUBLIC}{INBOUND_PATH}"):
        assert callback_is_genuine(url, form(fields), signature, [SecretStr(TOKEN)])
