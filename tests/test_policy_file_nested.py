"""The policy's lists and tables: ladder, teams, rules and single organisations, each slip with its line."""

from datetime import time
from decimal import Decimal
from pathlib import Path

import pytest

from duebell.errors import ConfigurationError
from duebell.policy_file.overdue import CreditHolds, Promise
from duebell.policy_file.policy import Policy, load_policy, read_policy
from duebell.policy_file.sections import Digest
from duebell.policy_file.shapes import Kind, Weekday, WhoseClock

SHIPPED = Path(__file__).resolve().parents[1] / "deployments" / "policy.toml"
ONE = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
OTHER = "bbbbbbbb-bbbb-4ccc-8ddd-eeeeeeeeeeee"
STAGE = "[[invoice_overdue.stage]]\nname = 'first'\ndays = 1\n"


def policy_of(text: str) -> Policy:
    return read_policy(text.encode(), Path("policy.toml"))


def refused(text: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        policy_of(text)
    return str(caught.value)


def test_the_ladder_that_is_shipped_stays_inside_the_hours_that_the_laws_leave() -> None:
    overdue = load_policy(SHIPPED).invoice_overdue
    assert [(stage.name, stage.days) for stage in overdue.stages] == [
        ("soon", -3), ("overdue", 1), ("second", 7), ("third", 14), ("last", 30),
    ]  # fmt: skip
    assert [stage.teams for stage in overdue.stages] == [(), (), (), ("accounts",), ("accounts",)]
    assert all(stage.tells_customer for stage in overdue.stages)
    assert (overdue.opens, overdue.closes, overdue.on_holidays) == (time(9), time(17), False)
    assert overdue.days == (Weekday.MON, Weekday.TUE, Weekday.WED, Weekday.THU, Weekday.FRI)
    assert overdue.clock is WhoseClock.RECIPIENT
    assert (overdue.gap_days, overdue.late_days, overdue.group) == (3, 6, True)
    assert (overdue.promise, overdue.promise_grace_days, overdue.credit) == (
        Promise.HOLD,
        1,
        CreditHolds.COVERS,
    )
    assert overdue.minimum["GBP"] == Decimal(5)


def test_every_key_of_the_policy_stands_in_the_shipped_file() -> None:
    text = SHIPPED.read_text(encoding="utf-8")
    for section, keys in Policy().model_dump().items():
        if section in {"rules", "tenants", "team"}:
            continue
        for key in keys:
            assert key == "stages" or f"\n{key} = " in text, f"{section}.{key}"


def test_nested_tables_and_lists_are_read() -> None:
    policy = policy_of(
        """
        [invoice_overdue]
        minimum = { NZD = 19.50, KWD = 1 }
        promise = "ignore"
        [[invoice_overdue.stage]]
        name = "day-2"
        days = 2
        late_days = 0
        tell = ["team:sales"]
        [team.sales]
        phones = ["+64 21 123 4567"]
        emails = ["sales@example.com"]
        digest = "each"
        """
    )
    overdue, sales = policy.invoice_overdue, policy.team["sales"]
    assert overdue.minimum == {"NZD": Decimal("19.50"), "KWD": Decimal(1)}
    [stage] = overdue.stages
    assert (stage.teams, stage.tells_customer, stage.late_days) == (("sales",), False, 0)
    assert (sales.phones, sales.digest) == (("+64211234567",), Digest.EACH)
    assert policy.team["accounts"].phones == ()


def test_one_word_stands_for_a_list_of_one() -> None:
    text = "[[rule]]\nwhen = { kind = 'invoice_issued', currency = 'NZD' }\nthen = { silence = true }"
    [rule] = policy_of(text).rules
    assert (rule.when.kind, rule.when.currency) == ((Kind.INVOICE_ISSUED,), ("NZD",))


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("[invoice_overdue]\ngap_days = -1", 2, "[invoice_overdue] gap_days must be 0 or more"),
        ("[invoice_overdue]\ndays = ['monday']", 2, "days, item 1, must be 'mon', 'tue'"),
        ("[invoice_overdue]\ndays = []", 2, "at least one"),
        ("[invoice_overdue]\ndays = [\n 'mon',\n 'mon',\n]", 2, "each once"),
        ("[invoice_overdue]\ndays = [\n 'mon',\n 'nom',\n]", 4, "days, item 2,"),
        ("[invoice_overdue]\non_holidays = 'no'", 2, "true or false"),
        ("[invoice_overdue]\nclock = 'mine'", 2, "must be 'recipient' or 'organisation'"),
        ("[invoice_overdue]\nsend = 'hold'", 2, "does not exist"),
        ("[invoice_overdue]\ncredit = 'hold'", 2, "credit must be 'covers', 'any' or 'ignore'"),
        ("[payment_received]\ntell = ['team:sales']", 2, "[payment_received] tell names the team 'sales'"),
        ("[invoice_issued]\ntell = ['sales']", 2, 'tell must list "customer", or teams'),
        ("[invoice_issued]\nteam_from = { NZD = '5' }", 2, "team_from.NZD must be an amount such as 20"),
        ("[team.accounts]\nhears = ['promise']", 2, "hears, item 1, must be 'promise_broken', 'not_told'"),
        ("[team.accounts]\nhears = [\n 'not_told',\n 'not_told',\n]", 2, "hears must name each once"),
        ("[invoice_overdue]\nminimum = { NZD = '20' }", 2, "minimum.NZD must be an amount such as 20"),
        ("[invoice_overdue.minimum]\nNZD = 5\nnzd = 20", 3, "a currency's code"),
        ("[invoice_overdue]\nminimum = { NZD = nan }", 2, "must be an amount"),
        ("[invoice_overdue]\nminimum = { NZD = true }", 2, "must be an amount"),
        ("[invoice_overdue]\nminimum = 20", 2, "a section of its own"),
        ("[invoice_overdue]\nnever_groups = ['']", 2, "must not be empty"),
        (STAGE + "[[invoice_overdue.stage]]\nname = 'b'", 4, "[[invoice_overdue.stage]] (2) days is missing"),
        (STAGE + "teel = ['customer']", 4, "teel does not exist. Did you mean tell?"),
        (STAGE + "tell = ['team:']", 4, "must list"),
        (STAGE + "tell = ['boss']", 4, "must list"),
        (STAGE + "tell = []", 4, "must list"),
        (STAGE + "tell = ['team:acounts']", 4, "names the team 'acounts', which has no section. Did you"),
        (STAGE + "\n\n" + STAGE, 7, "is the name of another stage too"),
        (STAGE + STAGE.replace("first", "next"), 6, "(2) days must be more than"),
        (STAGE.replace("first", "Day 1"), 2, "small letters"),
        (STAGE.replace("first", "a:b"), 2, "small letters"),
        (STAGE.replace("1", "1001"), 3, "1000 or less"),
        ("[invoice_overdue]\nstage = 3", 2, "[invoice_overdue] stage must be a list"),
        ("[team.sales]\nphones = ['+64211234567',\n'021']", 3, "[team.sales] phones, item 2,"),
        ("[team.sales]\nemails = ['sales at example.com']", 2, "an email address alone"),
        ("[team.sales]\nemails = ['a@firm.com', 'a..b@firm.com']", 2, "emails, item 2, must be an email"),
        ("[team.sales]\nemails = ['accounts.@firm.com']", 2, "a dot stands neither beside the @"),
        ("[team.sales]\nemails = ['x@firm.c']", 2, "an email address alone"),
        ("[team.sales]\nemails = ['konto@bäcker.de']", 2, "write a domain that has others as its provider"),
        ("[team.sales]\nemails = ['a@firm.com, b@firm.com']", 2, "write each in quotes of its own"),
        ('[team.sales]\nemails = ["a\\u200b@firm.com"]', 2, "a character that is not seen"),
        (f"[team.sales]\nemails = ['{'x' * 65}@firm.com']", 2, "64 of them before the @"),
        ("[team.sales]\nemails = [7]", 2, "an email address alone"),
        ("[team.'The Boss']\nphones = []", 1, '[team] "The Boss" must be a name'),
        ("[team]\nphones = []", 2, "[team] phones must be a section of its own"),
        ("[limits]\nbreaker = 0.5", 2, "1 or more"),
        ("[limits]\nmessages_an_hour = 0", 2, "1 or more"),
        ("[limits]\nmesages_an_hour = 9", 2, "Did you mean messages_an_hour?"),
    ],
)
def test_a_slip_in_a_nested_place_is_named_with_its_line(text: str, line: int, says: str) -> None:
    said = refused(text)
    assert f"policy.toml line {line}: " in said
    assert says in said


SILENT = "then = { silence = true }\n"


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("[[rule]]\nname = 'a'", 1, "[[rule]] (1) then is missing"),
        ("[[rule]]\nthen = {}", 2, "[[rule]] (1) then must say"),
        ("[[rule]]\nthen = { silence = true, tone = 'firm' }", 2, "silence = true alone"),
        (f"[[rule]]\n{SILENT}[rule.when]\nstage = 'fourth'", 4, "when.stage names no stage of the ladder"),
        (f"[[rule]]\n{SILENT}when = {{ kind = ['bill'] }}", 3, "when.kind, item 1, must"),
        (f"[[rule]]\n{SILENT}when = {{ kind = 'bill' }}", 3, "(1) when.kind must be 'invoice"),
        (f"[[rule]]\n{SILENT}when = {{ amount_from = 5 }}", 3, "no currency"),
        (
            f"[[rule]]\n{SILENT}when = {{ currency = 'NZD', amount_from = 5, amount_below = 5 }}",
            3,
            "when.amount_below must be more",
        ),
        (
            f"[[rule]]\n{SILENT}when = {{ kind = 'invoice_issued', stage = 'last' }}",
            3,
            "only invoice_overdue",
        ),
        (f"[[rule]]\n{SILENT}when = {{ tracking = {{ category = 'Region' }} }}", 3, "option is missing"),
        (f"[[rule]]\n{SILENT}when = {{ contact = {{ nam = 'A' }} }}", 3, "contact.nam does not exist. Did"),
        (f"[[rule]]\n{SILENT}\n[[rule]]\n{SILENT}", 4, "[[rule]] (2) is never reached: rule 1"),
        ("rule = 3", 1, "must be a list"),
    ],
)
def test_a_slip_in_a_rule_is_named_with_its_line(text: str, line: int, says: str) -> None:
    said = refused(text)
    assert f"policy.toml line {line}: " in said
    assert says in said


def test_an_organisation_differs_in_single_keys_and_in_the_whole_ladder() -> None:
    policy = policy_of(
        f"""
        [invoice_overdue]
        gap_days = 4
        minimum = {{ NZD = 20, AUD = 30 }}
        [team.accounts]
        phones = ["+64211234567"]
        [tenant."{ONE}".invoice_overdue]
        gap_days = 9
        minimum.AUD = 1
        [[tenant."{ONE}".invoice_overdue.stage]]
        name = "only"
        days = 60
        [tenant."{ONE}".team.accounts]
        digest = "each"
        """
    )
    own, others = policy.for_tenant(ONE), policy.for_tenant(OTHER)
    assert others is policy
    assert (others.invoice_overdue.gap_days, len(others.invoice_overdue.stages)) == (4, 5)
    assert (own.invoice_overdue.gap_days, own.invoice_overdue.late_days) == (9, 6)
    assert own.invoice_overdue.minimum == {"NZD": Decimal(20), "AUD": Decimal(1)}
    assert [stage.name for stage in own.invoice_overdue.stages] == ["only"]
    assert (own.team["accounts"].digest, own.team["accounts"].phones) == (Digest.EACH, ("+64211234567",))
    assert own.settle == policy.settle


@pytest.mark.parametrize(
    ("lines", "line", "says"),
    [
        (
            f"[tenant.'{ONE}'.invoice_overdue]\ngap_days = 'x'",
            2,
            f"[tenant.{ONE}.invoice_overdue] gap_days must",
        ),
        (f"[tenant.'{ONE}'.invoice_overdeu]\ngap_days = 1", 1, "Did you mean invoice_overdue?"),
        (f"[tenant.'{ONE}'.polling]\nenabled = false", 1, "cannot differ for one organisation"),
        ("[tenant.kauri.invoice_overdue]\ngap_days = 1", 1, "must be an organisation's tenant id"),
        (f"[tenant]\n'{ONE}' = 3", 2, "a section of its own"),
        ("tenant = 3", 1, "a section of its own"),
        (
            f"[[tenant.'{ONE}'.rule]]\n{SILENT}when = {{ stage = 'last' }}\n"
            f"[[tenant.'{ONE}'.invoice_overdue.stage]]\nname = 'only'\ndays = 1",
            3,
            f"[[tenant.{ONE}.rule]] (1) when.stage names no stage of the ladder",
        ),
        (
            f"[[rule]]\n{SILENT}when = {{ stage = 'oly' }}\n[[tenant.'{ONE}'.invoice_overdue.stage]]\n"
            "name = 'only'\ndays = 1",
            3,
            "[[rule]] (1) when.stage names no stage of the ladder. Did you mean only?",
        ),
    ],
)
def test_a_slip_in_the_lines_of_one_organisation_is_named_with_its_line(
    lines: str, line: int, says: str
) -> None:
    said = refused(lines)
    assert f"policy.toml line {line}: " in said
    assert says in said


@pytest.mark.parametrize("stage", ["last", "only"])
def test_a_rule_for_all_may_name_a_stage_that_only_some_of_the_ladders_have(stage: str) -> None:
    policy = policy_of(
        f"[[rule]]\n{SILENT}when = {{ stage = '{stage}' }}\n"
        f"[[tenant.'{ONE}'.invoice_overdue.stage]]\nname = 'only'\ndays = 1"
    )
    assert policy.for_tenant(ONE).rules == policy.for_tenant(OTHER).rules == policy.rules
    assert [one.name for one in policy.for_tenant(ONE).invoice_overdue.stages] == ["only"]


def test_a_slip_that_all_organisations_inherit_is_named_once() -> None:
    common = "[invoice_overdue]\ngap_days = -1\n"
    own = "".join(f"[tenant.'{each}'.invoice_overdue]\nlate_days = 1\n" for each in (ONE, OTHER))
    assert refused(common + own).count("line") == 1
    again = refused(common + f"[tenant.'{ONE}'.invoice_overdue]\ngap_days = -1\n")
    assert [said.split(":")[0] for said in again.splitlines()[1:]] == [
        "- policy.toml line 2",
        "- policy.toml line 4",
    ]


def test_what_a_team_is_reached_by_is_in_no_text() -> None:
    assert "5550123" not in refused('[team.sales]\nphones = ["+64 9 5550123 x1"]')
    policy = policy_of('[team.sales]\nphones = ["+64211234567"]\nemails = ["sales@example.com"]')
    assert "1234567" not in repr(policy)
    assert "sales@example.com" not in repr(policy)


def test_a_policy_that_is_read_again_is_the_same() -> None:
    policy = policy_of(f"[tenant.'{ONE}'.limits]\nbreaker = 2.5")
    assert Policy.model_validate(policy) == policy
    assert policy.for_tenant(ONE).limits.breaker == Decimal("2.5")
