"""The dedup key: readable, made of business facts alone, and never the same for two things."""

import re
from inspect import signature

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from duebell.deciding.deciding import Subject
from duebell.deciding.known import Known
from duebell.errors import Permanent
from duebell.keys import INVOICE_ISSUED, contact_recipient, dedup_key, first_key, parts_of, resend_key
from duebell.ledger.snapshots import ReadInvoice
from duebell.ledger.tables import Tenant
from duebell.model import Invoice
from duebell.planning.planning import owed_for
from tests.support_facts import CONTACT, INVOICE, NOW, OTHER_MOBILE, TENANT, a_contact, an_invoice

part = st.text(st.characters(exclude_characters=":#", codec="utf-8"), max_size=12)
recipient = st.one_of(
    st.builds(contact_recipient, part),
    st.builds("contact:{}/{}".format, part, part),
    st.builds("team:{}".format, part),
)
whole = st.tuples(part, part, part, recipient, part, st.integers(0, 99))


def key(facts: tuple[str, str, str, str, str, int]) -> str:
    tenant, kind, subject, to, step, generation = facts
    first = dedup_key(tenant, kind, subject, to, step=step)
    return resend_key(first, generation) if generation else first


def test_a_key_can_be_read() -> None:
    assert (
        dedup_key(TENANT, INVOICE_ISSUED, INVOICE, contact_recipient(CONTACT))
        == f"{TENANT}:invoice_issued:{INVOICE}::contact:{CONTACT}"
    )


def test_a_forced_re_send_is_a_key_of_its_own_that_begins_with_the_first() -> None:
    first = dedup_key("t", "k", "s", "contact:c", step="gentle@2026-11-20")
    assert first == "t:k:s:gentle@2026-11-20:contact:c"
    assert resend_key(first, 2) == f"{first}#2"
    assert resend_key(f"{first}#2", 3) == f"{first}#3"
    assert first_key(f"{first}#2") == first_key(first) == first


@given(whole, whole)
def test_two_different_things_have_two_keys(
    one: tuple[str, str, str, str, str, int], other: tuple[str, str, str, str, str, int]
) -> None:
    assume(one != other)
    assert key(one) != key(other)


@given(whole)
def test_a_key_gives_its_facts_back(facts: tuple[str, str, str, str, str, int]) -> None:
    parts = parts_of(key(facts))
    assert (
        parts.tenant_id, parts.kind, parts.subject_id, parts.recipient, parts.step, parts.generation
    ) == facts  # fmt: skip


@pytest.mark.parametrize("position", range(5))
@pytest.mark.parametrize("sign", ["#", ":"])
def test_a_part_that_could_be_read_as_two_is_refused(position: int, sign: str) -> None:
    parts = ["t", "k", "s", "contact:c", "step"]
    parts[position] += f"{sign}x"
    if (position, sign) == (3, ":"):
        return  # a recipient comes last, so that it may hold colons
    tenant, kind, subject, to, step = parts
    with pytest.raises(Permanent, match="cannot hold"):
        dedup_key(tenant, kind, subject, to, step=step)


def read(invoice: Invoice) -> ReadInvoice:
    return ReadInvoice(invoice, "{}", NOW, compared=None, known_before_connecting=False)


def test_neither_number_nor_channel_nor_name_nor_text_nor_time_is_in_a_key() -> None:
    assert set(signature(dedup_key).parameters) == {
        "tenant_id",
        "kind",
        "subject_id",
        "recipient",
        "step",
    }
    tenant = Tenant(tenant_id=TENANT, token_set_id="tokens", connected_at=NOW, name="Kauri Test Limited")
    moved = a_contact(phones=(), name="Totara Test Limited")
    keys = {
        owed_for(TENANT, Subject(INVOICE_ISSUED, INVOICE), Known(tenant, read(invoice), contact, {})).key
        for invoice in (an_invoice(), an_invoice(number="INV-9", amount_due=None))
        for contact in (a_contact(), moved, None)
    }
    assert len(keys) == 1
    assert not re.search(rf"sms|{OTHER_MOBILE[1:]}|21 ?1234567|Limited|INV|115|2026", keys.pop())
