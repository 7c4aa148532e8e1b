"""The persons at a contact who are told beside it: those that Xero is to include in its emails."""

from collections.abc import Mapping
from dataclasses import replace

from duebell.keys import address_hash
from duebell.model import Contact, ContactPerson


def persons_of(contact: Contact | None) -> Mapping[str, ContactPerson]:
    """The further persons who are told, each address once, by the hash that stands for it in their key.

    The contact's own address is none of them: who reads it is told already.
    """
    if contact is None:
        return {}
    included = [one for one in contact.persons if one.included and one.email]
    found = {address_hash(one.email): one for one in reversed(included)}
    found.pop(address_hash(contact.email), None)
    return dict(reversed(found.items()))


def addressee(contact: Contact | None, person: str) -> Contact | None:
    """Who reads a message: the contact, or the person of this hash with their own name and address.

    ``None`` where the contact has no such person any more.
    """
    if contact is None or not person:
        return contact
    found = persons_of(contact).get(person)
    if found is None:
        return None
    return replace(contact, first_name=found.first_name, last_name=found.last_name, email=found.email)
