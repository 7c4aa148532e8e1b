"""What strangers typed into Xero is text to our templates and to the provider's, on the whole way there.

The numbers are those of the fault catalogue.
"""

import html
import json
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from deployments.sandbox.email_liquid import LiquidError, rendered
from duebell.errors import TemplateProblem
from duebell.render.rendering import Templates
from duebell.render.segments import segments
from duebell.render.values import LONGEST_TEXT, clean_text
from duebell.sending.giving_back import Said
from duebell.states import NotificationState
from tests.support_facts import MOBILE, keep_contact, open_tenant, resources_over
from tests.support_overdue import Office, at, due, office_over, policy_text
from tests.test_render_payloads import PAYLOADS

DUE, DAY = date(2026, 11, 2), timedelta(days=1)
EMAIL = "rimu@example.com"
BRACES = [
    "{{7*7}}", "{{ organisation }}", "{% for a in b %}", "{%raw%}", "{{", "{%", "}}{{", "{{{", "{# gone #}",
    "{{ '' | append: x }}", "{%- endraw -%}", "${7*7}", "{{contact_name}} {{",
]  # fmt: skip


@dataclass
class Providers:
    """Twilio's two interfaces, which keep what was posted to them."""

    posted: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.posted.append(json.loads(request.content))
        return httpx.Response(202, json={"operationId": f"comms_operation_{len(self.posted):026}"})


def told(engine: Engine, folder: Path, typed: str, channel: str) -> tuple[Office, Providers, list[Said]]:
    """A reminder to a customer of this name, about an invoice with this reference."""
    open_tenant(engine, short_code="!mBdtL")
    keep_contact(engine, Name=typed, FirstName=typed, EmailAddress=EMAIL)
    office = office_over(engine, folder, at(DUE + DAY), policy_text(f'channels = ["{channel}"]'))
    providers = Providers()
    office.resources = resources_over(
        engine, office.clock, twilio=providers if channel == "email" else office.phones,
        DUEBELL_POLICY=str(folder / "policy.toml"), EMAIL_FROM="Kauri <accounts@kauri.example>",
    )  # fmt: skip
    office.keeps(1, **due(DUE, Reference=typed))
    return office, providers, office.day()


@pytest.mark.parametrize("typed", BRACES)
def test_f064_braces_in_a_name_and_a_reference_are_read_as_they_are_behind_twilio_s_own_templates(
    sqlite_ledger: Engine, tmp_path: Path, typed: str
) -> None:
    _, providers, said = told(sqlite_ledger, tmp_path, typed, "email")
    assert [one.state for one in said] == [NotificationState.ACCEPTED]
    content = providers.posted[0]["content"]
    variables = {"contact_name": "EATEN", "organisation": "EATEN"}
    read = {part: rendered(content[part], variables) for part in ("subject", "text", "html")}
    assert read["text"].count(clean_text(typed)) >= 2, "the name and the reference"
    assert html.escape(clean_text(typed), quote=False) in html.unescape(read["html"]) or clean_text(
        typed
    ) in html.unescape(read["html"])
    assert "EATEN" not in "".join(read.values())
    assert "49" not in read["subject"]


def test_f064_without_our_care_one_brace_of_a_stranger_s_would_fail_the_whole_email() -> None:
    with pytest.raises(LiquidError):
        rendered("Hello {{,", {})


@pytest.mark.parametrize("typed", BRACES)
def test_f064_braces_in_a_name_are_said_by_sms_as_they_are(
    sqlite_ledger: Engine, tmp_path: Path, typed: str
) -> None:
    words = tmp_path / "templates" / "invoice_overdue" / "en"
    words.mkdir(parents=True)
    (words / "sms.txt").write_text("{{ contact_name }}, {{ invoice.reference }}")
    open_tenant(sqlite_ledger)
    keep_contact(sqlite_ledger, Name=typed)
    office = office_over(sqlite_ledger, tmp_path, at(DUE + DAY))
    office.resources = resources_over(
        sqlite_ledger, office.clock, twilio=office.phones, DUEBELL_POLICY=str(tmp_path / "policy.toml"),
        DUEBELL_TEMPLATES=str(tmp_path / "templates"),
    )  # fmt: skip
    office.keeps(1, **due(DUE, Reference=typed))
    office.day()
    assert office.phones.to(MOBILE) == [f"{clean_text(typed)}, {clean_text(typed)}"]


def says(folder: Path, template: str, **values: object) -> str:
    words = folder / "kind" / "en"
    words.mkdir(parents=True, exist_ok=True)
    (words / "sms.txt").write_text(template)
    return Templates(folder).render_sms("kind/en", {"locale": "en_NZ", **values})


@pytest.mark.parametrize("template", ["Hi {{ name }},", "{{ nme }}", "{{ name | default('') }}", "{{ g.x }}"])
def test_f061_what_is_empty_or_unknown_is_not_sent(tmp_path: Path, template: str) -> None:
    with pytest.raises(TemplateProblem, match="line 1"):
        says(tmp_path, template, name="", g={"x": None})


ZWJ = "\u200d"
HIDDEN = ZWJ + "\u202e\u2066\u200b\ufeff\x00\x1b\u2028\r\n"


@given(st.text(st.sampled_from("ab\u05d0\u0101\u0301\U0001f600 " + HIDDEN), max_size=40), st.integers(1, 400))
def test_f062_a_name_hides_nothing_turns_nothing_and_does_not_run_on(name: str, times: int) -> None:
    shown = clean_text(name * times)
    assert not set(shown) & set(HIDDEN) - {ZWJ}
    beside = [shown[max(place - 1, 0) : place + 2] for place, one in enumerate(shown) if one == ZWJ]
    assert all(len(three) == 3 and not set(three) & set("ab\u0101 .") for three in beside)
    assert len(shown) <= LONGEST_TEXT


def test_f063_there_are_enough_templates_that_reach_further() -> None:
    assert len(PAYLOADS) >= 60


@pytest.mark.parametrize(
    "template",
    [
        "{{ 'a' * 10 ** 9 }}", "{{ 9 ** (9 ** 8) }}", "{{ name | center(1000000000) }}",
        "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}",
    ],
)  # fmt: skip
def test_f065_a_template_that_would_run_for_minutes_is_refused_unread(tmp_path: Path, template: str) -> None:
    with pytest.raises(TemplateProblem):
        says(tmp_path, template, name="x")


def test_f066_a_text_that_twilio_refuses_is_not_posted(sqlite_ledger: Engine, tmp_path: Path) -> None:
    with pytest.raises(TemplateProblem, match="1600"):
        says(tmp_path, "{% for a in some %}{{ a }}{% endfor %}", some=["y" * 100] * 40)
    assert segments("x" * 1600).parts == 11
    _, _, said = told(sqlite_ledger, tmp_path, "\u2019" * 900, "sms")
    assert [one.state for one in said] == [NotificationState.ACCEPTED]


@pytest.mark.parametrize("typed", ["a\r\nBcc: b@c.nz", "<b>a</b>", '<script>alert(1)</script>"', "a\n\nb"])
def test_f067_a_name_adds_neither_a_header_nor_a_tag_to_what_is_posted(
    sqlite_ledger: Engine, tmp_path: Path, typed: str
) -> None:
    _, providers, _ = told(sqlite_ledger, tmp_path, typed, "email")
    posted = providers.posted[0]
    assert not set(posted["content"]["subject"]) & set("\r\n")
    assert "<script" not in posted["content"]["html"]
    assert "<b>a" not in posted["content"]["html"]
    assert posted["to"] == [{"address": EMAIL}] or [one["address"] for one in posted["to"]] == [EMAIL]


@pytest.mark.parametrize("typed", ["call +1900555 or http://evil.tld/x", "www.evil.tld", "1.2.3.4"])
def test_f068_a_reference_becomes_nothing_to_tap_on_under_our_name(
    sqlite_ledger: Engine, tmp_path: Path, typed: str
) -> None:
    _, providers, _ = told(sqlite_ledger, tmp_path, typed, "email")
    content = providers.posted[0]["content"]
    for part in ("subject", "text", "html"):
        assert "evil.tld" not in content[part]
        assert "http://evil" not in content[part]
        assert "1.2.3.4" not in content[part]
