"""An accountant who is drawn from a seed: what they could do next, and what the books hold after it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random

CREDITS = ("CREDITNOTE", "OVERPAYMENT", "PREPAYMENT")
BORN = {"draft": "DRAFT", "submitted": "SUBMITTED", "approved": "AUTHORISED", "repeating": "AUTHORISED"}


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that an accountant does.

    ``days`` is a day as the distance from the sandbox's today. ``amount`` is money, and ``text`` what is
    typed. ``invoices`` are the further ones of a batch.
    """

    act: str
    contact: str = ""
    invoice: str = ""
    label: str = ""
    amount: str = ""
    days: int = 0
    text: str = ""
    invoices: tuple[str, ...] = ()


@dataclass
class KnownInvoice:
    """An invoice as the history leaves it; payments and removed payments by their references."""

    number: str
    contact: str
    status: str
    total: Decimal
    is_bill: bool = False
    paid: dict[str, Decimal] = field(default_factory=dict[str, Decimal])
    removed: dict[str, Decimal] = field(default_factory=dict[str, Decimal])
    credited: dict[str, Decimal] = field(default_factory=dict[str, Decimal])

    @property
    def due(self) -> Decimal:
        """What is still to be paid."""
        return self.total - sum(self.paid.values()) - sum(self.credited.values())

    @property
    def untouched(self) -> bool:
        """Whether nothing was paid or credited."""
        return not self.paid and not self.credited

    def settle(self) -> None:
        """Open or paid, by what is due."""
        self.status = "AUTHORISED" if self.due else "PAID"


@dataclass
class KnownCredit:
    """A credit as the history leaves it."""

    label: str
    contact: str
    remaining: Decimal


@dataclass
class Known:
    """What a history has made so far. A contact's value is Xero's status of it, or ``MERGED``."""

    contacts: dict[str, str] = field(default_factory=dict[str, str])
    invoices: dict[str, KnownInvoice] = field(default_factory=dict[str, KnownInvoice])
    credits: dict[str, KnownCredit] = field(default_factory=dict[str, KnownCredit])

    def active(self) -> list[str]:
        """Contacts that can be invoiced."""
        return [label for label, status in self.contacts.items() if status == "ACTIVE"]

    def open(self) -> list[KnownInvoice]:
        """Approved sales invoices that are not paid."""
        return self.having(lambda one: one.status == "AUTHORISED" and not one.is_bill)

    def having(self, fits: Callable[[KnownInvoice], bool]) -> list[KnownInvoice]:
        """The invoices that fit."""
        return [one for one in self.invoices.values() if fits(one)]


MOBILES = ("570 006", "570 156", "570 157", "570 158", "570 159", "570 110", "570 313", "570 737")
GROUP = "Key accounts"
# How often each act is tried against the others; one that is not possible is drawn anew.
WEIGHTS = {
    "draft": 3, "submitted": 1, "approved": 5, "repeating": 1, "bill": 1,
    "submit": 1, "approve": 5, "delete": 1, "void": 1,
    "edit_reference": 2, "edit_due": 2, "edit_amount": 1, "promise": 1, "mark_sent": 1,
    "pay": 8, "pay_batch": 2, "remove_payment": 3, "enter_again": 2,
    "credit": 2, "allocate": 3, "take_back": 1, "refund": 1,
    "rename": 1, "set_email": 1, "set_phone": 1, "set_persons": 1, "join": 1, "leave": 1,
    "archive": 1, "restore": 1, "gdpr": 1, "merge": 1,
}  # fmt: skip


@dataclass
class Author:
    """Draws steps that are possible after those before, and keeps what they make."""

    chance: Random
    prefix: str
    most_invoices: int
    known: Known = field(default_factory=Known)
    _labels: int = 0

    def begin(self, contacts: int) -> list[Step]:
        """The contacts that a history starts with."""
        steps: list[Step] = []
        for place in range(contacts):
            label = f"{self.prefix}-customer-{place}"
            self.known.contacts[label] = "ACTIVE"
            steps.append(Step("contact", label, text=MOBILES[place % len(MOBILES)]))
        return steps

    def draw(self) -> Step:
        """The next step."""
        while True:
            (act,) = self.chance.choices(list(WEIGHTS), list(WEIGHTS.values()))
            step = self._drawn(act)
            if step is not None:
                return step

    def _drawn(self, act: str) -> Step | None:
        makers: dict[str, Callable[[str], Step | None]] = {
            **dict.fromkeys((*BORN, "bill"), self._born),
            **dict.fromkeys(
                ("rename", "set_email", "set_phone", "set_persons", "join", "leave"), self._typed
            ),
            **dict.fromkeys(("edit_reference", "edit_due", "edit_amount"), self._edited),
            "submit": lambda act: self._moved(act, "SUBMITTED", "DRAFT"),
            "approve": lambda act: self._moved(act, "AUTHORISED", "DRAFT", "SUBMITTED"),
            "delete": lambda act: self._moved(act, "DELETED", "DRAFT", "SUBMITTED"),
            "void": self._voided,
            "promise": lambda act: self._noted(act, "AUTHORISED"),
            "mark_sent": lambda act: self._noted(act, "AUTHORISED", "PAID"),
            "pay": self._paid,
            "pay_batch": self._batch,
            "remove_payment": self._removed,
            "enter_again": self._again,
            "credit": self._credit,
            "allocate": self._allocated,
            "take_back": self._taken_back,
            "refund": self._refunded,
            "archive": lambda act: self._status(act, "ARCHIVED"),
            "gdpr": lambda act: self._status(act, "GDPRREQUEST"),
            "restore": self._restored,
            "merge": self._merged,
        }
        return makers[act](act)

    def _label(self, kind: str) -> str:
        self._labels += 1
        return f"{self.prefix}-{kind}-{self._labels}"

    def _cents(self, most: Decimal) -> Decimal:
        return Decimal(self.chance.randint(1, int(most * 100))) / 100

    def _one(self, invoices: Iterable[KnownInvoice]) -> KnownInvoice | None:
        found = list(invoices)
        return self.chance.choice(found) if found else None

    def _in(self, *statuses: str) -> KnownInvoice | None:
        return self._one(self.known.having(lambda one: one.status in statuses))

    def _born(self, act: str) -> Step | None:
        active = self.known.active()
        if not active or len(self.known.invoices) >= self.most_invoices:
            return None
        number, amount = self._label("INV"), self._cents(Decimal(500))
        invoice = KnownInvoice(
            number, self.chance.choice(active), BORN.get(act, "AUTHORISED"), amount, is_bill=act == "bill"
        )
        self.known.invoices[number] = invoice
        days = self.chance.randint(-20, 30)
        return Step(act, invoice.contact, number, amount=str(amount), days=days)

    def _moved(self, act: str, status: str, *statuses: str) -> Step | None:
        invoice = self._in(*statuses)
        if invoice is None:
            return None
        invoice.status = status
        return Step(act, invoice=invoice.number)

    def _voided(self, act: str) -> Step | None:
        invoice = self._one(self.known.having(lambda one: one.status == "AUTHORISED" and one.untouched))
        if invoice is None:
            return None
        invoice.status = "VOIDED"
        return Step(act, invoice=invoice.number)

    def _noted(self, act: str, *statuses: str) -> Step | None:
        invoice = self._in(*statuses)
        return invoice and Step(act, invoice=invoice.number, days=self.chance.randint(0, 10))

    def _edited(self, act: str) -> Step | None:
        editable = self.known.having(lambda one: one.status in {"DRAFT", "SUBMITTED", "AUTHORISED"})
        invoice = self._one(one for one in editable if act != "edit_amount" or one.untouched)
        if invoice is None:
            return None
        if act == "edit_amount":
            invoice.total = self._cents(Decimal(500))
        days, text = self.chance.randint(-20, 30), self._label("PO")
        return Step(act, invoice=invoice.number, days=days, text=text, amount=str(invoice.total))

    def _paid(self, act: str) -> Step | None:
        invoice = self._in("AUTHORISED")
        if invoice is None:
            return None
        amount = invoice.due if self.chance.random() < 0.5 else self._cents(invoice.due)
        label = self._label("EFT")
        invoice.paid[label] = amount
        invoice.settle()
        return Step(act, "", invoice.number, label, str(amount), self.chance.choice((-3, 0, 0, 5)))

    def _batch(self, act: str) -> Step | None:
        open_ones = self.known.open()
        if len(open_ones) < 2:
            return None
        chosen, label = self.chance.sample(open_ones, min(3, len(open_ones))), self._label("DEP")
        for invoice in chosen:
            invoice.paid[label] = invoice.due
            invoice.settle()
        return Step(act, label=label, invoices=tuple(one.number for one in chosen))

    def _removed(self, act: str) -> Step | None:
        invoice = self._one(self.known.having(lambda one: bool(one.paid)))
        if invoice is None:
            return None
        label = self.chance.choice(list(invoice.paid))
        invoice.removed[label] = invoice.paid.pop(label)
        invoice.settle()
        return Step(act, invoice=invoice.number, label=label)

    def _again(self, act: str) -> Step | None:
        invoice = self._one(
            one
            for one in self.known.having(lambda one: one.status == "AUTHORISED")
            if any(amount <= one.due for amount in one.removed.values())
        )
        if invoice is None:
            return None
        fits = [label for label, amount in invoice.removed.items() if amount <= invoice.due]
        label = self.chance.choice(fits)
        invoice.paid[label] = invoice.removed.pop(label)
        invoice.settle()
        return Step(act, invoice=invoice.number, label=label)

    def _credit(self, act: str) -> Step | None:
        active = self.known.active()
        if not active:
            return None
        label, contact, amount = self._label("CR"), self.chance.choice(active), self._cents(Decimal(100))
        self.known.credits[label] = KnownCredit(label, contact, amount)
        return Step(act, contact, label=label, amount=str(amount), text=self.chance.choice(CREDITS))

    def _allocated(self, act: str) -> Step | None:
        pairs = [
            (credit, invoice)
            for credit in self.known.credits.values()
            for invoice in self.known.open()
            if credit.remaining and credit.contact == invoice.contact
        ]
        if not pairs:
            return None
        credit, invoice = self.chance.choice(pairs)
        amount = min(credit.remaining, invoice.due)
        credit.remaining -= amount
        invoice.credited[credit.label] = invoice.credited.get(credit.label, Decimal(0)) + amount
        invoice.settle()
        return Step(act, invoice=invoice.number, label=credit.label, amount=str(amount))

    def _taken_back(self, act: str) -> Step | None:
        invoice = self._one(self.known.having(lambda one: bool(one.credited)))
        if invoice is None:
            return None
        label = self.chance.choice(list(invoice.credited))
        self.known.credits[label].remaining += invoice.credited.pop(label)
        invoice.settle()
        return Step(act, invoice=invoice.number, label=label)

    def _refunded(self, act: str) -> Step | None:
        left = [credit for credit in self.known.credits.values() if credit.remaining]
        if not left:
            return None
        credit = self.chance.choice(left)
        credit.remaining = Decimal(0)
        return Step(act, label=credit.label)

    def _typed(self, act: str) -> Step | None:
        contact = self.chance.choice(list(self.known.contacts))
        text = self.chance.choice(MOBILES) if act == "set_phone" else self._label("typed")
        return Step(act, contact, text=text)

    def _status(self, act: str, status: str) -> Step | None:
        active = self.known.active()
        if len(active) < 2:
            return None
        contact = self.chance.choice(active)
        self.known.contacts[contact] = status
        return Step(act, contact)

    def _restored(self, act: str) -> Step | None:
        away = [label for label, status in self.known.contacts.items() if status == "ARCHIVED"]
        if not away:
            return None
        contact = self.chance.choice(away)
        self.known.contacts[contact] = "ACTIVE"
        return Step(act, contact)

    def _merged(self, act: str) -> Step | None:
        active = self.known.active()
        if len(active) < 3:
            return None
        gone, left = self.chance.sample(active, 2)
        self.known.contacts[gone] = "MERGED"
        for one in (*self.known.invoices.values(), *self.known.credits.values()):
            one.contact = left if one.contact == gone else one.contact
        return Step(act, gone, label=left)
