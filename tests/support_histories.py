"""Histories of an accountant's steps: drawn from a seed, always possible, and plain data.

``history(seed)`` draws the steps, ``apply`` takes one in a sandbox. Records are named by labels that stay:
an invoice by its number, a contact by Xero's ContactNumber, a payment and a credit by their reference.
"""

from collections.abc import Callable
from datetime import date, timedelta
from random import Random

from deployments.sandbox.control import SandboxControl
from deployments.sandbox.control_records import Person
from tests.support_accountant import GROUP, Author, Known, Step


def history(
    seed: int, length: int = 20, *, prefix: str = "H", contacts: int = 3, invoices: int = 4
) -> tuple[list[Step], Known]:
    """``length`` possible steps over a handful of contacts and invoices, and what they leave.

    The same seed draws the same steps; ``prefix`` begins every label, so that histories can share books.
    """
    author = Author(Random(seed), prefix, invoices)  # noqa: S311 - chance for play
    steps = author.begin(contacts)
    return [*steps, *(author.draw() for _ in range(length))], author.known


def apply(step: Step, control: SandboxControl) -> None:
    """Take one step; every step of a history can be taken once those before it were."""
    _ACTS[step.act](step, control)


def apply_all(steps: list[Step], control: SandboxControl) -> None:
    """Take the steps of a history one after another."""
    for step in steps:
        apply(step, control)


def invoice_of(number: str, control: SandboxControl) -> str:
    """The id of the invoice of this number."""
    return next(one.invoice_id for one in control.invoices() if one.number == number)


def contact_of(label: str, control: SandboxControl) -> str:
    """The id of the contact of this ContactNumber."""
    return next(one.contact_id for one in control.contacts() if one.number == label)


def credit_of(label: str, control: SandboxControl) -> str:
    """The id of the credit of this reference."""
    return next(one.credit_id for one in control.credits() if one.reference == label)


def payment_of(step: Step, status: str, control: SandboxControl) -> str:
    """The id of the invoice's payment of this reference, the newest in this state."""
    invoice_id = invoice_of(step.invoice, control)
    found = [
        one.payment_id
        for one in control.payments()
        if (one.reference, one.document_id, one.status) == (step.label, invoice_id, status)
    ]
    return found[-1]


def _day(step: Step, control: SandboxControl) -> date:
    return control.shift_clock(0).date() + timedelta(days=step.days)


def _add_contact(step: Step, control: SandboxControl) -> None:
    control.add_contact(
        f"Customer {step.contact}",
        mobile=("61", "491", step.text),
        email=f"{step.contact.lower()}@customer.example",
        country="Australia",
        currency="AUD",
        number=step.contact,
    )


def _add_invoice(step: Step, control: SandboxControl) -> None:
    control.add_invoice(
        contact_of(step.contact, control),
        step.amount,
        number=step.invoice,
        approved=step.act not in {"draft", "submitted"},
        submitted=step.act == "submitted",
        repeating=step.act == "repeating",
        is_bill=step.act == "bill",
        due_on=_day(step, control),
    )


def _pay(step: Step, control: SandboxControl) -> None:
    day = _day(step, control)
    control.pay(invoice_of(step.invoice, control), step.amount, reference=step.label, paid_on=day)


def _pay_batch(step: Step, control: SandboxControl) -> None:
    control.pay_batch([(invoice_of(one, control), None) for one in step.invoices], reference=step.label)


def _set_phone(step: Step, control: SandboxControl) -> None:
    control.set_phone(contact_of(step.contact, control), step.text, country="61", area="491")


def _set_persons(step: Step, control: SandboxControl) -> None:
    person = Person("Ann", step.text, f"{step.text.lower()}@customer.example")
    control.edit_contact(contact_of(step.contact, control), persons=[person])


def _group(control: SandboxControl) -> str:
    ids = [group.group_id for group in control.groups() if group.name == GROUP]
    return ids[0] if ids else control.add_group(GROUP).group_id


_Act = Callable[[Step, SandboxControl], object]
_ACTS: dict[str, _Act] = {
    "contact": _add_contact,
    **dict.fromkeys(("draft", "submitted", "approved", "repeating", "bill"), _add_invoice),
    "submit": lambda step, control: control.submit(invoice_of(step.invoice, control)),
    "approve": lambda step, control: control.approve(invoice_of(step.invoice, control)),
    "delete": lambda step, control: control.delete_draft(invoice_of(step.invoice, control)),
    "void": lambda step, control: control.void(invoice_of(step.invoice, control)),
    "edit_reference": lambda step, control: control.edit(
        invoice_of(step.invoice, control), reference=step.text
    ),
    "edit_due": lambda step, control: control.edit(
        invoice_of(step.invoice, control), due_on=_day(step, control)
    ),
    "edit_amount": lambda step, control: control.edit(invoice_of(step.invoice, control), amount=step.amount),
    "promise": lambda step, control: control.promise(invoice_of(step.invoice, control), _day(step, control)),
    "mark_sent": lambda step, control: control.mark_sent(invoice_of(step.invoice, control)),
    "pay": _pay,
    "pay_batch": _pay_batch,
    "remove_payment": lambda step, control: control.remove_payment(
        invoice_of(step.invoice, control), payment_of(step, "AUTHORISED", control)
    ),
    "enter_again": lambda step, control: control.enter_payment_again(payment_of(step, "DELETED", control)),
    "credit": lambda step, control: control.add_credit(
        step.text, contact_of(step.contact, control), step.amount, reference=step.label
    ),
    "allocate": lambda step, control: control.allocate(
        credit_of(step.label, control), invoice_of(step.invoice, control), step.amount
    ),
    "take_back": lambda step, control: control.take_back(
        credit_of(step.label, control), invoice_of(step.invoice, control)
    ),
    "refund": lambda step, control: control.refund(credit_of(step.label, control)),
    "rename": lambda step, control: control.edit_contact(contact_of(step.contact, control), name=step.text),
    "set_email": lambda step, control: control.set_email(
        contact_of(step.contact, control), f"{step.text.lower()}@customer.example"
    ),
    "set_phone": _set_phone,
    "set_persons": _set_persons,
    "join": lambda step, control: control.join_group(_group(control), [contact_of(step.contact, control)]),
    "leave": lambda step, control: control.leave_group(_group(control), [contact_of(step.contact, control)]),
    "archive": lambda step, control: control.archive_contact(contact_of(step.contact, control)),
    "restore": lambda step, control: control.set_contact_status(contact_of(step.contact, control), "ACTIVE"),
    "gdpr": lambda step, control: control.set_contact_status(
        contact_of(step.contact, control), "GDPRREQUEST"
    ),
    "merge": lambda step, control: control.merge_contacts(
        contact_of(step.contact, control), contact_of(step.label, control)
    ),
}
