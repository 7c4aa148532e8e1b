"""Folders of templates: what lies where, in which language a message is said, and what plurals it needs."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from duebell.errors import TemplateProblem
from duebell.policy.reaching import EMAIL, SMS
from duebell.render.rendering import Templates
from duebell.render.template_folders import Tongue
from duebell.render.words_wanted import Wanted, wanted_of
from duebell.showing.previewing import of_sweep
from tests.support_facts import MOBILE, TENANT, resources_over
from tests.support_overdue import due, policy_text
from tests.test_policy_file_nested import policy_of, refused
from tests.test_reminders_words import DUE, opened, rule


def laid_out(root: Path, *names: str) -> Templates:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("{{ organisation }} owes nobody", encoding="utf-8")
    return Templates(root)


def test_a_language_is_a_folder_in_its_kind_and_any_other_folder_is_a_variant(tmp_path: Path) -> None:
    templates = laid_out(
        tmp_path, "kind/en/sms.txt", "kind/de-CH/body.txt", "kind/firm/en/sms.txt", "kind/sms.txt",
        "kind/firm/subject.txt", "kind/en/sms.text", "kind/.hidden",
    )  # fmt: skip
    assert [(one.name, one.variant, one.language, one.parts) for one in templates.folders()] == [
        ("kind/de-CH", "", "de-CH", ("body.txt",)),
        ("kind/en", "", "en", ("sms.txt",)),
        ("kind/firm/en", "firm", "en", ("sms.txt",)),
    ]
    assert templates.strays() == ("kind/en/sms.text", "kind/firm/subject.txt", "kind/sms.txt")


@pytest.mark.parametrize(
    ("there", "channel", "wanted", "language"),
    [
        (["de/sms.txt", "en/sms.txt"], SMS, "de", "de"),
        (["de/sms.txt", "en/sms.txt"], SMS, "de-CH", "de"),
        (["en/sms.txt"], SMS, "de", "en"),
        (["de/sms.txt", "de/subject.txt", "en/subject.txt", "en/body.txt"], EMAIL, "de", "en"),
        (["de/subject.txt", "de/body.txt", "en/subject.txt", "en/body.txt"], EMAIL, "de", "de"),
        ([], SMS, "de", "en"),
    ],
)
def test_a_message_is_said_whole_in_one_language(
    tmp_path: Path, there: list[str], channel: str, wanted: str, language: str
) -> None:
    templates = laid_out(tmp_path, *(f"kind/{one}" for one in there))
    tongue = templates.tongue_of("kind", channel, wanted, "en")
    assert tongue == Tongue(language, wanted)
    assert tongue.is_wanted is (language in wanted)


@pytest.mark.parametrize(
    ("folder", "template", "said"),
    [
        ("kind/en", '{{ n | plural(one="# day", other="# days") }}', "1,200 days"),
        ("kind/de", '{{ n | plural(one="ein Tag", other="# Tage") }}', "1.200 Tage"),
        ("kind/ja", '{{ n | plural(other="#日") }}', "1,200日"),
        ("kind", '{{ n | plural(one="# day", other="days") }}', "days"),
    ],
)
def test_a_plural_has_its_count_where_the_template_wants_it(
    tmp_path: Path, folder: str, template: str, said: str
) -> None:
    (tmp_path / folder).mkdir(parents=True)
    (tmp_path / folder / "sms.txt").write_text(template, encoding="utf-8")
    locale = {"kind/de": "de_DE", "kind/ja": "ja"}.get(folder, "en_NZ")
    assert Templates(tmp_path).render_sms(folder, {"n": 1200, "locale": locale}) == said


@pytest.mark.parametrize(
    ("template", "said"),
    [
        (
            '{{ n | plural(one="# يوم", two="يومان", few="# أيام", other="# يوم") }}',
            "needs the plural many too",
        ),
        ('{{ n | plural(some="x", other="y") }}', "the language ar has no plural some; it has few, many"),
        ('{{ n | plural("x", "y") }}', "in a way that it does not have"),
        ('{{ n | plural("x") }}', "plural is written like this"),
        ("{{ n | plural(one=n, two=n, few=n, many=n, other=n) }}", "plural is written like this"),
        ("{{ n | plural(**n) }}", "in a way that it does not have"),
    ],
)
def test_a_plural_that_forgets_a_form_is_refused_with_its_line(
    tmp_path: Path, template: str, said: str
) -> None:
    (tmp_path / "kind" / "ar").mkdir(parents=True)
    (tmp_path / "kind" / "ar" / "sms.txt").write_text(f"\n{template}", encoding="utf-8")
    with pytest.raises(TemplateProblem, match=r"kind/ar/sms\.txt line 2") as caught:
        Templates(tmp_path).check("kind/ar")
    assert said in str(caught.value)


def test_what_is_no_count_has_no_plural(tmp_path: Path) -> None:
    laid_out(tmp_path, "kind/en/sms.txt")
    (tmp_path / "kind" / "en" / "sms.txt").write_text('{{ n | plural(one="x", other="y") }}')
    with pytest.raises(TemplateProblem, match="plural needs a count"):
        Templates(tmp_path).render_sms("kind/en", {"n": "three"})


def test_a_policy_asks_for_its_kinds_its_rules_and_its_teams_in_their_languages() -> None:
    policy = policy_of(
        """
        [language]
        by_country = { DE = "de" }
        [payment_received]
        enabled = false
        [invoice_overdue]
        enabled = false
        [[rule]]
        when = { contact_group = "Firm" }
        then = { template = "firm", language = "ar", channels = ["email"] }
        """
    )
    assert wanted_of(policy) == (
        Wanted("invoice_issued", "en", "en", SMS),
        Wanted("invoice_issued", "de", "en", SMS),
        Wanted("invoice_issued/firm", "ar", "en", EMAIL),
    )
    team = policy_of('[team.accounts]\nlanguage = "de"\nphones = ["+6421123456"]')
    assert Wanted("invoice_overdue_team", "de", "en", SMS) in wanted_of(team)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[language]\ndefault = "german"', "line 2: [language] default must be a language's code in quotes"),
        (
            '[language]\nby_country = { DE = "de", ch = "de" }',
            "line 2: [language] by_country.ch must be a country",
        ),
        (
            '[[rule]]\nthen = { language = "DE" }',
            "line 2: [[rule]] (1) then.language must be a language's code",
        ),
        (
            '[[rule]]\nthen = { template = "de" }',
            'then.template is the code of a language: write language = "de"',
        ),
        ('[team.accounts]\nlanguage = "xx"', "line 2: [team.accounts] language must be a language's code"),
    ],
)
def test_a_language_that_nobody_writes_in_is_named_with_its_line(text: str, said: str) -> None:
    assert said in refused(text)


def test_a_rules_language_goes_before_that_of_the_country_and_the_preview_tells_it(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    countries = '[language]\nby_country = { NZ = "ar" }\n'
    office = opened(sqlite_ledger, tmp_path, 1, countries + rule('language = "de"', 'stage = "overdue"'))
    office.keeps(1, **due(DUE))
    [shown] = of_sweep(office.resources, TENANT)
    assert (shown.language, shown.sender) == ("de", "+64210000000")
    office.day()
    assert office.phones.to(MOBILE) == [
        "Kauri Test Limited: Rechnung INV-0001 über 115,00 NZ$ war am 2. Nov. 2026 fällig und ist noch "
        "offen. Falls Sie gerade bezahlt haben: vielen Dank."
    ]


def test_a_language_without_words_is_said_in_the_default_one_and_the_preview_tells_it(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    text = policy_text(rest='[language]\nby_country = { NZ = "fr" }')
    office = opened(sqlite_ledger, tmp_path, 1, text)
    office.keeps(1, **due(DUE))
    [shown] = of_sweep(office.resources, TENANT)
    assert shown.language == "en (its words in fr are missing)"
    assert shown.text.startswith("Kauri Test Limited: invoice INV-0001 for $115.00")


def test_the_country_of_the_telephone_number_tells_which_dollar_it_is(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    office = opened(sqlite_ledger, tmp_path, 1)
    office.keeps(1, **due(DUE, CurrencyCode="AUD"))
    office.day()
    assert "for A$115.00" in office.phones.to(MOBILE)[0]
    assert resources_over(office.engine).templates.folders() != ()
