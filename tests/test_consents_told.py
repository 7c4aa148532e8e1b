"""What people want reaches Twilio over HTTP, sender by sender, on both databases, whatever Twilio answers."""

import uuid
from collections.abc import Generator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from deployments import doctor_mirror, doctor_replies
from deployments.sandbox import credentials
from deployments.sandbox.control import SandboxControl
from deployments.sandbox.control_types import FaultKind
from deployments.sandbox.server import running_sandbox
from duebell.errors import ConfigurationError
from duebell.ledger import consent_lines, preferences, trail, wishes
from duebell.ledger.engine import reading
from duebell.ledger.inbound import keep_inbound
from duebell.ledger.writing import writing
from duebell.preferences import consents_told, preferring
from duebell.preferences.consents_told import Told
from duebell.preferences.mirroring import OWN, Consent, Source, Wish
from duebell.resources import Resources
from duebell.twilio.inbound import Senders, read_inbound
from duebell.twilio.transport import twilio_http_client
from tests.support_facts import MOBILE, OTHER_MOBILE, Hand, resources_over

A, B = credentials.TWILIO_FROM, credentials.MESSAGING_SERVICE_SID
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def running() -> Generator[SandboxControl]:
    with running_sandbox() as control:
        yield control


@pytest.fixture
def desk(ledger: Engine, running: SandboxControl, tmp_path: Path) -> Generator[Resources]:
    """Our own sender A, and B that the policy names."""
    running.reset()
    policy = tmp_path / "policy.toml"
    policy.write_text(
        f'[sending]\nsender = "{B}"\n[preferences]\nmirror_to_twilio = true\n'
        f'[[rule]]\nwhen = {{ currency = "NZD" }}\nthen = {{ sender = "{A}" }}\n'
        '[[rule]]\nwhen = { currency = "AUD" }\nthen = { sender = "Kauri" }\n'
    )
    variables = {
        "TWILIO_ACCOUNT_SID": credentials.TWILIO_ACCOUNT_SID,
        "TWILIO_AUTH_TOKEN": credentials.TWILIO_AUTH_TOKEN,
        "TWILIO_FROM": A,
        "TWILIO_ACCOUNTS_URL": running.base_url,
        "DUEBELL_POLICY": str(policy),
    }
    resources = replace(resources_over(ledger, Hand(), **variables), twilio_http=twilio_http_client())  # pyright: ignore[reportArgumentType]  # names of variables, and no others
    yield resources
    resources.twilio_http.close()


def later(desk: Resources, by: timedelta) -> None:
    clock = desk.clock
    assert isinstance(clock, Hand)
    clock.now += by


def writes(desk: Resources, body: str, to: str = A, who: str = MOBILE) -> None:
    """A person writes to one of our senders, which Twilio heeds first."""
    sid = "SM" + uuid.uuid4().hex
    message = read_inbound([("MessageSid", sid), ("From", who), ("To", to), ("Body", body)])
    with writing(desk.engine, desk.clock()) as book:
        keep_inbound(book, message, who, Senders(A, frozenset({A, B})))


def run(desk: Resources, *, everything: bool = False) -> Told:
    """One run of the flow."""
    batches = consents_told.lay_out(desk, everything=everything)
    return sum((consents_told.post(desk, batch, flow_run_id="run") for batch in batches), Told())


def at_twilio(sandbox: SandboxControl) -> dict[tuple[str, str], str]:
    return {(one.contact_id, one.sender_id): one.status for one in sandbox.consents()}


def test_a_stop_said_to_one_sender_is_told_to_the_others_and_a_start_takes_it_back(
    desk: Resources, running: SandboxControl
) -> None:
    assert not consent_lines.is_due(desk.engine, desk.clock())
    writes(desk, "STOP")
    assert consent_lines.is_due(desk.engine, desk.clock())
    assert run(desk) == Told(taken=1)
    assert at_twilio(running) == {(MOBILE, B): "opt-out"}
    assert running.consents()[0].source == "opt-out-message"
    assert not consent_lines.is_due(desk.engine, desk.clock())
    later(desk, DAY)
    writes(desk, "START")
    assert run(desk) == Told(taken=1)
    assert at_twilio(running) == {(MOBILE, B): "opt-in"}
    assert run(desk, everything=True) == Told()


def test_without_the_policys_line_nothing_is_posted_and_what_was_said_is_told_once_it_is_there(
    desk: Resources, running: SandboxControl
) -> None:
    policy = desk.settings.policy
    text = policy.read_text()
    policy.write_text(text.replace("mirror_to_twilio = true", "mirror_to_twilio = false"))
    writes(desk, "STOP")
    assert run(desk) == Told()
    assert doctor_mirror.look(desk) == []
    policy.write_text(text)
    assert run(desk) == Told(taken=1)
    assert at_twilio(running) == {(MOBILE, B): "opt-out"}


def test_a_start_before_the_stop_was_told_leaves_only_the_start_to_tell(
    desk: Resources, running: SandboxControl
) -> None:
    writes(desk, "STOP")
    batches = consents_told.lay_out(desk, everything=False)
    writes(desk, "START")
    assert [consents_told.post(desk, batch, flow_run_id=None) for batch in batches] == [Told()]
    assert run(desk) == Told(taken=1)
    assert [one.status for one in running.consent_log()] == ["opt-in"]


KINDS: tuple[FaultKind, ...] = ("drop_after", "drop_before", "status", "html", "truncate")


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_not_answered_is_told_again_later(
    desk: Resources, running: SandboxControl, kind: FaultKind
) -> None:
    running.fail_next(kind, path="/v1/Consents/*", status=503)
    writes(desk, "STOP")
    assert run(desk) == Told(waiting=1)
    assert run(desk) == Told()
    later(desk, timedelta(seconds=21))
    assert run(desk) == Told(taken=1)
    assert at_twilio(running) == {(MOBILE, B): "opt-out"}


def test_an_account_without_the_api_keeps_what_is_owed_and_says_so_once(
    desk: Resources, running: SandboxControl
) -> None:
    running.settings(consents_status=404)
    writes(desk, "STOP")
    writes(desk, "STOP", who=OTHER_MOBILE)
    assert run(desk) == Told(waiting=2)
    [finding] = doctor_mirror.look(desk)
    assert not finding.sound
    assert "ask Twilio to enable it" in finding.said
    assert run(desk) == Told()
    assert not consent_lines.is_due(desk.engine, desk.clock())
    later(desk, DAY)
    assert run(desk) == Told(waiting=2)
    assert [one.action for one in trail.entries(desk.engine, "consents", 50)] == ["consents cannot be told"]
    running.settings(consents_status=201)
    later(desk, DAY)
    assert run(desk) == Told(taken=2)
    assert all(one.sound for one in doctor_mirror.look(desk))


def test_a_consent_that_twilio_refuses_is_shown_and_holds_up_no_other(
    desk: Resources, running: SandboxControl
) -> None:
    running.settings(consent_errors={MOBILE: "INVALID_CONTACT_ID"})
    writes(desk, "STOP")
    writes(desk, "STOP", who=OTHER_MOBILE)
    assert run(desk) == Told(taken=1, refused=1)
    [known, refused] = doctor_mirror.look(desk)
    assert known.sound
    assert not refused.sound
    assert "INVALID_CONTACT_ID" in refused.said
    assert MOBILE not in refused.said


def test_an_error_inside_of_twilio_is_tried_again(desk: Resources, running: SandboxControl) -> None:
    running.settings(consent_errors={MOBILE: "INTERNAL_SERVER_ERROR"})
    writes(desk, "STOP")
    assert run(desk) == Told(waiting=1)
    running.settings(consent_errors={})
    later(desk, timedelta(minutes=1))
    assert run(desk) == Told(taken=1)


def test_more_than_25_go_in_several_posts(desk: Resources, running: SandboxControl) -> None:
    for number in range(30):
        writes(desk, "STOP", who=f"+642112345{number:02}")
    assert run(desk) == Told(taken=30)
    assert [one.status for one in running.requests() if one.path.endswith("/Bulk")] == [201, 201]


def test_a_claim_that_died_is_taken_up_again_and_two_runs_post_it_once(
    desk: Resources, running: SandboxControl
) -> None:
    writes(desk, "STOP")
    [batch] = consents_told.lay_out(desk, everything=False)
    with writing(desk.engine, desk.clock()) as book:
        assert len(consent_lines.claim(book, batch, lambda: uuid.uuid4().hex)) == 1
    assert consents_told.post(desk, batch, flow_run_id=None) == Told()
    later(desk, timedelta(minutes=2))
    assert consent_lines.is_due(desk.engine, desk.clock())
    assert run(desk) == Told(taken=1)
    assert len(running.consent_log()) == 1


def refusals(desk: Resources) -> dict[str, str]:
    with reading(desk.engine) as session:
        return preferences.refusals(session, [MOBILE])


def test_a_person_settles_what_was_asked_and_takes_it_back(desk: Resources, running: SandboxControl) -> None:
    preferring.stop(desk, MOBILE, "sms", by="person:anna", why="asked by telephone")
    assert refusals(desk) == {MOBILE: "opted_out"}
    assert run(desk) == Told(taken=2)
    assert at_twilio(running) == {(MOBILE, A): "opt-out", (MOBILE, B): "opt-out"}
    preferring.allow(desk, MOBILE, "sms", by="person:anna", why="wrote on Monday that it was a mistake")
    assert refusals(desk) == {}
    later(desk, DAY)
    assert run(desk) == Told(taken=2)
    assert set(at_twilio(running).values()) == {"opt-in"}
    standing = preferring.show(desk, MOBILE, "sms")
    assert [(one.state, "anna" in one.evidence) for one in standing.known] == [("", True)]
    actions = [one.action for one in trail.entries(desk.engine, "", 50) if one.actor == "person:anna"]
    assert sorted(actions) == ["preference opt-in", "preference opt-out"]


def test_who_asked_in_free_words_lifts_it_with_start(desk: Resources) -> None:
    preferring.stop(desk, MOBILE, "sms", by="person:anna", why="asked by telephone")
    writes(desk, "START")
    assert refusals(desk) == {}


@pytest.mark.parametrize(("body", "to"), [("Yes", B), ("Yes!", A), ("yes", "+64990000000")])
def test_a_yes_that_may_answer_anything_lifts_no_stop_and_is_shown_to_a_person(
    desk: Resources, running: SandboxControl, body: str, to: str
) -> None:
    writes(desk, "STOP", to=A)
    writes(desk, body, to=to)
    assert refusals(desk) == {MOBILE: "opted_out"}
    run(desk)
    assert at_twilio(running) == {(MOBILE, B): "opt-out"}
    [finding] = doctor_replies.look(desk)
    assert "may have asked to be told again" in finding.said
    later(desk, DAY)
    preferring.allow(desk, MOBILE, "sms", by="person:anna", why="read it, and it was meant")
    assert doctor_replies.look(desk) == []


def test_a_yes_to_the_sender_that_heard_the_stop_lifts_it_as_twilio_does(
    desk: Resources, running: SandboxControl
) -> None:
    writes(desk, "STOP", to=A)
    writes(desk, " yes ", to=A)
    assert refusals(desk) == {}
    assert run(desk) == Told(taken=1)
    assert at_twilio(running) == {(MOBILE, B): "opt-in"}
    assert doctor_replies.look(desk) == []


def test_a_yes_to_a_sender_that_we_told_of_the_stop_lifts_it_too(desk: Resources) -> None:
    writes(desk, "STOP", to=A)
    run(desk)
    writes(desk, "Yes", to=B)
    assert refusals(desk) == {}


def test_a_yes_lifts_what_twilios_own_refusal_told_of_our_own_sender(desk: Resources) -> None:
    with writing(desk.engine, desk.clock()) as book:
        preferences.refuse_address(book, MOBILE, "sms", preferences.OPTED_OUT, "twilio:21610 attempt:a1")
        wishes.said(book, MOBILE, Wish(Consent.OPT_OUT, Source.REFUSAL, book.now, said_to=frozenset({OWN})))
    writes(desk, "Yes", to=B)
    assert refusals(desk) == {MOBILE: "opted_out"}
    writes(desk, "Yes", to=A)
    assert refusals(desk) == {}


def test_what_a_person_of_the_business_settled_is_lifted_by_start_and_by_no_yes(desk: Resources) -> None:
    preferring.stop(desk, MOBILE, "sms", by="person:anna", why="asked by telephone")
    run(desk)
    writes(desk, "Yes", to=A)
    assert refusals(desk) == {MOBILE: "opted_out"}
    writes(desk, "START", to=A)
    assert refusals(desk) == {}


def test_a_yes_of_who_never_stopped_is_nothing_to_settle(desk: Resources) -> None:
    writes(desk, "Yes")
    assert doctor_replies.look(desk) == []
    later(desk, DAY)
    writes(desk, "STOP")
    assert doctor_replies.look(desk) == []


def test_what_cannot_be_meant_is_refused_and_changes_nothing(desk: Resources) -> None:
    for address, channel, why in (
        ("021 123", "sms", "asked"),
        (MOBILE, "sms", "  "),
        (MOBILE, "email", "asked"),
        (MOBILE, "fax", "asked"),
    ):
        with pytest.raises(ConfigurationError):
            preferring.stop(desk, address, channel, by="person:anna", why=why)
    with pytest.raises(ConfigurationError, match="nothing stands against"):
        preferring.allow(desk, MOBILE, "sms", by="person:anna", why="asked")
    assert refusals(desk) == {}


def test_an_email_address_is_stopped_without_a_word_to_twilio(desk: Resources) -> None:
    preferring.stop(desk, "jo@example.com", "email", by="person:anna", why="asked")
    with reading(desk.engine) as session:
        assert preferences.refusals(session, ["jo@example.com"], "email") == {"jo@example.com": "opted_out"}
    assert run(desk) == Told()
