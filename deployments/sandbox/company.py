"""Moa Bay Bakery Supplies of Wellington: an invented company with customers in four countries.

Phone numbers come from the ranges kept for fiction where a country has one that a phone library takes for
valid (Australia, United States); the others are a library's own examples, or are wrong on purpose.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from deployments.sandbox import cashbook, invoicing
from deployments.sandbox.books import Books
from deployments.sandbox.documents import PHONE_TYPES, Draft, Line, address, new_contact, new_invoice, phone
from deployments.sandbox.wire import Json, Record, ms_date, text_of

COMPANY_NAME = "Moa Bay Bakery Supplies"
HOME_ZONE = ZoneInfo("Pacific/Auckland")
_NAMESPACE = uuid.UUID("5a4db0c5-5a4d-4b0c-8a4d-b0c55a4db0c5")


@dataclass(frozen=True, slots=True)
class Person:
    """A contact of the company; each phone is (type, country code, area code, number)."""

    name: str
    first_name: str
    email: str
    city: str
    country: str
    currency: str
    phones: tuple[tuple[str, str, str, str], ...] = ()
    status: str = "ACTIVE"


CONTACTS = (
    Person("Aro Street Cafe", "Mere", "mere@arocafe.example", "Wellington", "New Zealand", "NZD",
           (("MOBILE", "64", "21", "123 4567"), ("DEFAULT", "64", "4", "300 5550"))),
    Person("Petone Pie Cart", "Tom", "tom@piecart.example", "Lower Hutt", "New Zealand", "NZD",
           (("DEFAULT", "", "", "027 555 0101"),)),
    Person("Fitzroy Crumb Company", "Asha", "asha@crumb.example", "Melbourne", "Australia", "AUD",
           (("MOBILE", "61", "491", "570 156"),)),
    Person("Bondi Batch Bakery", "Liu", "liu@bondibatch.example", "Sydney", "Australia", "AUD",
           (("MOBILE", "", "", "+61 491 570 006"),)),
    Person("Leith Loaf Limited", "Fiona", "fiona@leithloaf.example", "Edinburgh", "United Kingdom", "GBP",
           (("MOBILE", "44", "7400", "123456"),)),
    Person("Astoria Bagel Works", "Rosa", "rosa@bagelworks.example", "New York", "United States", "USD",
           (("MOBILE", "1", "(202)", "555-0143"),)),
    Person("Te Aro Tearooms", "Joan", "joan@tearooms.example", "Wellington", "New Zealand", "NZD",
           (("DDI", "64", "4", "999 5501"), ("FAX", "64", "21", "123 4568"))),
    Person("Kelburn Kiosk", "Sam", "sam@kiosk.example", "Wellington", "New Zealand", "NZD"),
    Person("Island Bay Dairy", "Dev", "", "Wellington", "New Zealand", "NZD",
           (("MOBILE", "", "021", "ask for Dev"),)),
    Person("Old Quay Diner", "Pat", "pat@oldquay.example", "Wellington", "New Zealand", "NZD",
           (("MOBILE", "64", "22", "555 0199"),), "ARCHIVED"),
    Person("Manawatu Mills", "Hemi", "accounts@mills.example", "Palmerston North", "New Zealand", "NZD"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Past:
    """An old invoice: issued so many days ago, due that many days after, and what became of it."""

    number: str
    contact: str
    issued_days_ago: int
    terms_days: int
    quantity: int
    unit_amount: str
    fate: str
    is_bill: bool = False


HISTORY = (
    Past("INV-0991", "Aro Street Cafe", 80, 20, 12, "18.50", "paid"),
    Past("INV-0992", "Fitzroy Crumb Company", 75, 20, 40, "21.00", "paid"),
    Past("INV-0993", "Petone Pie Cart", 40, 20, 6, "18.50", "open"),
    Past("INV-0994", "Leith Loaf Limited", 35, 30, 25, "24.80", "part-paid"),
    Past("INV-0995", "Astoria Bagel Works", 12, 20, 30, "26.40", "open"),
    Past("INV-0996", "Kelburn Kiosk", 9, 20, 2, "18.50", "void"),
    Past("INV-0997", "Bondi Batch Bakery", 3, 20, 15, "21.00", "draft"),
    Past("MM-4411", "Manawatu Mills", 50, 20, 200, "9.10", "paid", is_bill=True),
    Past("MM-4519", "Manawatu Mills", 10, 20, 180, "9.10", "open", is_bill=True),
)

TRACKING = {"Region": ("North", "South"), "Delivery round": ("Early", "Late")}


def contact_id_of(name: str) -> str:
    """The fixed id of one of the company's contacts."""
    return str(uuid.uuid5(_NAMESPACE, f"contact:{name}"))


def invoice_id_of(number: str) -> str:
    """The fixed id of one of the company's old invoices."""
    return str(uuid.uuid5(_NAMESPACE, f"invoice:{number}"))


def theme_id_of(name: str) -> str:
    """The fixed id of a branding theme."""
    return str(uuid.uuid5(_NAMESPACE, f"theme:{name}"))


def tracking_category(name: str, options: Sequence[str]) -> Record:
    """A tracking category with its options, its ids fixed by the names."""
    category_id = str(uuid.uuid5(_NAMESPACE, f"tracking:{name}"))
    rows: list[Json] = [
        {
            "TrackingOptionID": str(uuid.uuid5(_NAMESPACE, f"tracking:{name}:{option}")),
            "Name": option,
            "Status": "ACTIVE",
        }
        for option in options
    ]
    return {"Name": name, "Status": "ACTIVE", "TrackingCategoryID": category_id, "Options": rows}


def branding_theme(name: str, now: datetime) -> Record:
    """A branding theme, its id fixed by the name."""
    created = ms_date(now - timedelta(days=400))
    return {"BrandingThemeID": theme_id_of(name), "Name": name, "SortOrder": 0, "CreatedDateUTC": created}


def empty_books(tenant_id: str, name: str, now: datetime) -> Books:
    """A New Zealand organisation with nothing in its books."""
    return Books(
        tenant_id=tenant_id,
        organisation=_organisation(tenant_id, name, now),
        connection_id=str(uuid.uuid5(_NAMESPACE, f"connection:{tenant_id}")),
        connected_at=now,
        themes={theme_id_of("Standard"): branding_theme("Standard", now)},
    )


def company_books(tenant_id: str, now: datetime) -> Books:
    """The company's books as of ``now``: its contacts, and about three months of old invoices and bills."""
    books = empty_books(tenant_id, COMPANY_NAME, now)
    entered = now - timedelta(days=100)
    for name, options in TRACKING.items():
        category = tracking_category(name, options)
        books.tracking[text_of(category, "TrackingCategoryID")] = category
    for person in CONTACTS:
        books.contacts[contact_id_of(person.name)] = _contact(person, entered)
    for past in HISTORY:
        _live_through(books, past, now)
    return books


def _contact(person: Person, entered: datetime) -> Record:
    typed = {kind: parts for kind, *parts in person.phones}
    phones: list[Json] = [phone(kind, *typed.get(kind, ["", "", ""])) for kind in PHONE_TYPES]
    return new_contact(
        contact_id_of(person.name),
        person.name,
        entered,
        ContactStatus=person.status,
        FirstName=person.first_name,
        EmailAddress=person.email,
        Addresses=[address("STREET", "", ""), address("POBOX", person.city, person.country)],
        Phones=phones,
        DefaultCurrency=person.currency,
    )


def _live_through(books: Books, past: Past, now: datetime) -> None:
    entered = now - timedelta(days=past.issued_days_ago)
    issued_on = entered.astimezone(HOME_ZONE).date()
    contact = books.contacts[contact_id_of(past.contact)]
    draft = Draft(
        number=past.number,
        contact=contact,
        issued_on=issued_on,
        due_on=issued_on + timedelta(days=past.terms_days),
        lines=(Line("Strong flour, 20 kg", Decimal(past.quantity), Decimal(past.unit_amount)),),
        currency=text_of(contact, "DefaultCurrency"),
        is_bill=past.is_bill,
        invoice_id=invoice_id_of(past.number),
    )
    books.keep_invoice(new_invoice(draft, entered))
    _meet_fate(books, past, draft.invoice_id, entered)


def _meet_fate(books: Books, past: Past, invoice_id: str, entered: datetime) -> None:
    # Books keep their changes in order of time, and the past is entered document by document.
    books.forget_last_change()
    if past.fate == "draft":
        return
    invoicing.approve(books, invoice_id, entered + timedelta(minutes=5))
    later = entered + timedelta(days=8)
    paid_on = later.astimezone(HOME_ZONE).date()
    if past.fate == "paid":
        cashbook.pay(books, invoice_id, None, paid_on, later)
    elif past.fate == "part-paid":
        cashbook.pay(books, invoice_id, Decimal("200.00"), paid_on, later)
    elif past.fate == "void":
        invoicing.void(books, invoice_id, later)
    books.forget_last_change()


def _organisation(tenant_id: str, name: str, now: datetime) -> Record:
    return {
        "Name": name,
        "LegalName": f"{name} Limited",
        "PaysTax": True,
        "Version": "NZ",
        "OrganisationType": "COMPANY",
        "BaseCurrency": "NZD",
        "CountryCode": "NZ",
        "IsDemoCompany": False,
        "OrganisationStatus": "ACTIVE",
        "FinancialYearEndDay": 31,
        "FinancialYearEndMonth": 3,
        "SalesTaxBasis": "PAYMENTS",
        "SalesTaxPeriod": "TWOMONTHS",
        "CreatedDateUTC": ms_date(now - timedelta(days=400)),
        "OrganisationEntityType": "COMPANY",
        "Timezone": "NEWZEALANDSTANDARDTIME",
        "ShortCode": "!" + uuid.uuid5(_NAMESPACE, tenant_id).hex[:5],
        "OrganisationID": tenant_id,
        "Edition": "BUSINESS",
        "Class": "STANDARD",
        "Addresses": [address("POBOX", "Wellington", "New Zealand")],
        "Phones": [{"PhoneType": "OFFICE", "PhoneNumber": "300 5550", "PhoneAreaCode": "04"}],
        "ExternalLinks": [],
        "PaymentTerms": {},
    }
