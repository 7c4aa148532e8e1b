"""SendGrid's events: believed only with its signature over the very bytes, and read whatever their order."""

import base64
import json
import random
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from duebell.email.rulings import TABLE, ruling_of
from duebell.email.sendgrid_events import DROPPED, UnreadableEvents, read_events
from duebell.email.signature import events_are_genuine, verification_key
from duebell.twilio.codes import Action
from duebell.twilio.statuses import MessageStatus, message_status
from tests.test_email_requests import ATTEMPT, TO

KEY = ec.generate_private_key(ec.SECP256R1())
TIMESTAMP = "1763805600"


def written(key: PublicKeyTypes) -> str:
    """A public key as SendGrid shows it."""
    return base64.b64encode(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


PUBLIC = written(KEY.public_key())


def signed(raw: bytes, timestamp: str = TIMESTAMP, key: ec.EllipticCurvePrivateKey = KEY) -> str:
    """What SendGrid's signature header says."""
    return base64.b64encode(key.sign(timestamp.encode() + raw, ec.ECDSA(hashes.SHA256()))).decode()


def event(**changes: object) -> dict[str, object]:
    """One event as SendGrid writes it."""
    return {
        "email": TO,
        "timestamp": 1763805600,
        "smtp-id": "<kiC2BsplQXGrH6HLUMYlgQ@geopod-ismtpd-1>",
        "event": "delivered",
        "sg_event_id": "ZGVsaXZlcmVkLTA",
        "sg_message_id": "kiC2BsplQXGrH6HLUMYlgQ.recvd-5b6594c664-jh9rs-1-65A9F366-11.1",
        "n": ATTEMPT,
    } | changes


def batch(*events: object) -> bytes:
    """A body with SendGrid's own spacing."""
    return json.dumps(events, indent=1).replace('": ', '" : ').encode()


RAW = batch(event())
SIGNATURE = signed(RAW)
OTHER = ec.generate_private_key(ec.SECP256R1())


def test_a_signed_batch_is_genuine() -> None:
    assert events_are_genuine(RAW, SIGNATURE, TIMESTAMP, [PUBLIC])


def test_any_of_several_keys_may_have_signed() -> None:
    other = written(OTHER.public_key())
    assert events_are_genuine(RAW, SIGNATURE, TIMESTAMP, [other, PUBLIC])
    assert events_are_genuine(RAW, signed(RAW, key=OTHER), TIMESTAMP, [other, PUBLIC])


FORGED: dict[str, tuple[bytes, str | None, str | None, list[str]]] = {
    "another key": (RAW, signed(RAW, key=OTHER), TIMESTAMP, [PUBLIC]),
    "no key": (RAW, SIGNATURE, TIMESTAMP, []),
    "an altered body": (RAW.replace(b"delivered", b"bounce"), SIGNATURE, TIMESTAMP, [PUBLIC]),
    "one space more": (RAW + b" ", SIGNATURE, TIMESTAMP, [PUBLIC]),
    "the same JSON written again": (json.dumps(json.loads(RAW)).encode(), SIGNATURE, TIMESTAMP, [PUBLIC]),
    "no body": (b"", SIGNATURE, TIMESTAMP, [PUBLIC]),
    "an altered timestamp": (RAW, SIGNATURE, "1763805601", [PUBLIC]),
    "a longer timestamp": (RAW, SIGNATURE, TIMESTAMP + "0", [PUBLIC]),
    "a timestamp moved into the body": (b"0" + RAW, SIGNATURE, TIMESTAMP[:-1], [PUBLIC]),
    "a signed timestamp that is no number": (RAW, signed(RAW, "soon"), "soon", [PUBLIC]),
    "no timestamp": (RAW, SIGNATURE, None, [PUBLIC]),
    "an empty timestamp": (RAW, signed(RAW, ""), "", [PUBLIC]),
    "a timestamp beyond ASCII": (RAW, SIGNATURE, "\uff11\uff17\uff16\uff13", [PUBLIC]),
    "no signature": (RAW, None, TIMESTAMP, [PUBLIC]),
    "an empty signature": (RAW, "", TIMESTAMP, [PUBLIC]),
    "no base64": (RAW, "not base64!", TIMESTAMP, [PUBLIC]),
    "base64 beyond ASCII": (RAW, "\uff21" * 4, TIMESTAMP, [PUBLIC]),
    "base64 with junk between": (RAW, SIGNATURE[:4] + "\n" + SIGNATURE[4:], TIMESTAMP, [PUBLIC]),
    "base64 of no signature": (RAW, base64.b64encode(b"junk").decode(), TIMESTAMP, [PUBLIC]),
    "half a signature": (RAW, SIGNATURE[: len(SIGNATURE) // 8 * 4], TIMESTAMP, [PUBLIC]),
    "a signature of zeros": (RAW, "MAYCAQACAQA=", TIMESTAMP, [PUBLIC]),
    "a key that is none": (RAW, SIGNATURE, TIMESTAMP, ["junk"]),
}


@pytest.mark.parametrize(("raw", "signature", "timestamp", "keys"), FORGED.values(), ids=FORGED)
def test_whatever_is_not_signed_is_not_genuine(
    raw: bytes, signature: str | None, timestamp: str | None, keys: list[str]
) -> None:
    assert not events_are_genuine(raw, signature, timestamp, keys)


@given(st.binary(max_size=80), st.text(max_size=20))
def test_junk_never_raises(junk: bytes, text: str) -> None:
    assert not events_are_genuine(junk, base64.b64encode(junk).decode(), text, [PUBLIC])
    assert not events_are_genuine(RAW, text, TIMESTAMP, [PUBLIC, text])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "junk",
        PUBLIC[:-8],
        written(ec.generate_private_key(ec.SECP384R1()).public_key()),
        written(ed25519.Ed25519PrivateKey.generate().public_key()),
        written(rsa.generate_private_key(65537, 2048).public_key()),
    ],
    ids=["empty", "junk", "cut short", "another curve", "edwards", "rsa"],
)
def test_only_a_key_on_the_curve_is_one(text: str) -> None:
    with pytest.raises(ValueError, match="P-256"):
        verification_key(text)


def test_an_event_is_read_with_its_ids_its_moment_and_our_attempt() -> None:
    [found] = read_events(RAW).events
    assert (found.sid, found.word, found.status) == (
        "kiC2BsplQXGrH6HLUMYlgQ",
        "delivered",
        MessageStatus.DELIVERED,
    )
    assert (found.tag, found.event_id) == (ATTEMPT, "ZGVsaXZlcmVkLTA")
    assert found.occurred_at == datetime.fromtimestamp(1763805600, UTC)
    assert json.loads(found.event_json) == event()
    assert TO not in repr(found)


@pytest.mark.parametrize(
    ("message_id", "sid"),
    [
        ("kiC2BsplQXGrH6HLUMYlgQ.recvd-5b6594c664-jh9rs-1-65A9F366-11.1", "kiC2BsplQXGrH6HLUMYlgQ"),
        ("pWucfaSHSF6rUvaYz0-Cqw.filterdrecv-p3iad2-6d658-20-5FB1E16E-1D.0", "pWucfaSHSF6rUvaYz0-Cqw"),
        ("14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0", "14c5d75ce93.dfd.64b469"),
        ("56WoYBdESN6RyEn_7bJRKA.canary-7-1.0", "56WoYBdESN6RyEn_7bJRKA"),
        ("56WoYBdESN6RyEn_7bJRKA", "56WoYBdESN6RyEn_7bJRKA"),
    ],
)
def test_the_id_of_the_answer_is_found_in_every_form_of_the_longer_one(message_id: str, sid: str) -> None:
    [found] = read_events(batch(event(sg_message_id=message_id))).events
    assert found.sid == sid


def test_an_event_without_the_longer_id_is_known_by_the_other() -> None:
    without = {name: value for name, value in event().items() if name != "sg_message_id"}
    [found] = read_events(batch(without)).events
    assert found.sid == "kiC2BsplQXGrH6HLUMYlgQ"


@pytest.mark.parametrize(
    ("changes", "word", "status"),
    [
        ({"event": "processed"}, "processed", MessageStatus.QUEUED),
        ({"event": "deferred"}, "deferred", MessageStatus.SENDING),
        ({"event": "delivered"}, "delivered", MessageStatus.DELIVERED),
        ({"event": "open"}, "open", MessageStatus.READ),
        ({"event": "click"}, "click", MessageStatus.READ),
        ({"event": "bounce", "type": "bounce"}, "bounce", MessageStatus.UNDELIVERED),
        ({"event": "bounce"}, "bounce", MessageStatus.UNDELIVERED),
        ({"event": "bounce", "type": "blocked"}, "blocked", MessageStatus.UNDELIVERED),
        ({"event": "dropped", "reason": "Bounced Address"}, "dropped_bounced", MessageStatus.UNDELIVERED),
        ({"event": "dropped", "reason": "Invalid"}, "dropped_invalid", MessageStatus.UNDELIVERED),
        (
            {"event": "dropped", "reason": "Unsubscribed Address"},
            "dropped_unsubscribed",
            MessageStatus.UNDELIVERED,
        ),
        (
            {"event": "dropped", "reason": "Spam Reporting Address"},
            "dropped_spam_report",
            MessageStatus.UNDELIVERED,
        ),
        ({"event": "dropped", "reason": "over package quota"}, "dropped", MessageStatus.UNDELIVERED),
        ({"event": "dropped"}, "dropped", MessageStatus.UNDELIVERED),
        ({"event": "spamreport"}, "spamreport", MessageStatus.DELIVERED),
        ({"event": "unsubscribe"}, "unsubscribe", MessageStatus.DELIVERED),
        ({"event": "group_unsubscribe"}, "group_unsubscribe", MessageStatus.DELIVERED),
        ({"event": "Teleported"}, "teleported", MessageStatus.UNKNOWN),
    ],
)
def test_every_word_is_ours_or_kept_as_it_is(
    changes: dict[str, object], word: str, status: MessageStatus
) -> None:
    [found] = read_events(batch(event(**changes))).events
    assert (found.word, found.status) == (word, status)


def test_the_table_of_rulings_speaks_of_known_words_and_of_everyone_who_must_not_be_written_to() -> None:
    assert {word for word in TABLE if message_status(word) is MessageStatus.UNKNOWN} == set()
    assert set(DROPPED.values()) <= TABLE.keys()
    assert {word for word, ruling in TABLE.items() if ruling.marks_opted_out} == {
        *("spamreport", "unsubscribe", "group_unsubscribe", "dropped_unsubscribed", "dropped_spam_report")
    }
    assert {word for word, ruling in TABLE.items() if ruling.marks_invalid} == {
        *("bounce", "dropped_bounced", "dropped_invalid")
    }


@pytest.mark.parametrize("word", TABLE)
def test_only_what_did_not_arrive_goes_to_another_channel(word: str) -> None:
    ruling = TABLE[word]
    assert ruling.meaning
    assert ruling.fall_back == (message_status(word) is MessageStatus.UNDELIVERED)
    assert ruling.marks_opted_out == (ruling.action is Action.OPTED_OUT)
    assert ruling.marks_invalid == (ruling.action is Action.NUMBER_INVALID)


@given(st.text(max_size=20))
def test_an_unknown_word_marks_nobody(word: str) -> None:
    assert ruling_of(word, "kiC2BsplQXGrH6HLUMYlgQ") is TABLE.get(word)


def test_a_repeated_event_is_read_once_and_order_is_kept() -> None:
    events = [event(sg_event_id=str(number), event=f"kind{number}") for number in range(5)]
    found = read_events(batch(*events, *events, events[2])).events
    assert [one.event_id for one in found] == ["0", "1", "2", "3", "4"]
    shuffled = random.Random(7).sample(events, k=5)  # noqa: S311 -- an order, no secret
    assert {one.word for one in read_events(batch(*shuffled)).events} == {one.word for one in found}


def test_events_without_an_id_of_their_own_are_told_apart_by_what_they_say() -> None:
    one, other = event(sg_event_id=None), event(sg_event_id=None, timestamp=1)
    assert len(read_events(batch(one, other, one)).events) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"sg_message_id": None, "smtp-id": None},
        {"sg_message_id": "a\x00b"},
        {"sg_message_id": ["x"]},
        {"sg_message_id": "a" * 200},
        {"event": None},
        {"event": ""},
        {"event": "two words"},
        {"event": "de\x00livered"},
        {"event": 7},
    ],
)
def test_an_event_that_names_no_email_or_no_kind_is_counted_and_leaves_the_others(
    changes: dict[str, Any],
) -> None:
    broken = event(sg_event_id=None) | changes
    if changes.get("sg_message_id", "") == ["x"]:
        broken["smtp-id"] = 7
    found = read_events(batch(event(), broken, None, [], "x"))
    assert len(found.events) == 1
    assert found.unreadable == 4


@pytest.mark.parametrize("named", ["", None, "a b", "a\x00b"])
def test_an_event_that_names_no_email_goes_by_its_own_id_and_by_the_address_or_our_tag(named: object) -> None:
    nameless = event(**{"sg_message_id": named, "smtp-id": None, "event": "bounce"})
    tagged, untagged = read_events(batch(nameless, nameless | {"n": None, "sg_event_id": "another"})).events
    assert (tagged.sid, tagged.tag, tagged.stray) == ("ZGVsaXZlcmVkLTA", ATTEMPT, "")
    assert (untagged.sid, untagged.tag, untagged.stray) == ("another", "", TO)
    assert TO not in repr(untagged)


@pytest.mark.parametrize("tag", [None, 7, "", "a b", "a\x00", "a" * 65, ["x"]])
def test_a_tag_that_is_none_of_ours_is_left_aside(tag: object) -> None:
    [found] = read_events(batch(event(n=tag))).events
    assert found.tag == ""


@pytest.mark.parametrize("timestamp", [None, "soon", -1, 10**30, True, 1.5])
def test_a_moment_that_is_none_is_left_aside(timestamp: object) -> None:
    [found] = read_events(batch(event(timestamp=timestamp))).events
    assert found.occurred_at is None


@pytest.mark.parametrize("raw", [b"", b"{}", b"null", b'"x"', b"[", b"\xff", b"[" * 100_000, b"[NaN]"])
def test_a_body_that_is_no_list_is_told_without_its_words(raw: bytes) -> None:
    with pytest.raises(UnreadableEvents) as caught:
        read_events(raw)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["event", "sg_message_id", "sg_event_id", "type", "reason", "timestamp", "n"]
                ),
                inner,
                max_size=5,
            )
        ),
        max_leaves=20,
    )
)
def test_any_json_is_read_or_counted(value: object) -> None:
    found = read_events(json.dumps([value]).encode())
    assert len(found.events) + found.unreadable == 1
