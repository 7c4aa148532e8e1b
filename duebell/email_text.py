"""What an email says: its subject, its text and its page, from the templates of its kind."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from duebell.email.messages import LONGEST_SUBJECT
from duebell.email.page import framed, page_of
from duebell.errors import TemplateProblem
from duebell.render import Templates
from duebell.template_folders import PAGE, SUBJECT, TEXT


@dataclass(frozen=True, slots=True)
class EmailText:
    """An email's words. ``html`` says the same as ``text``."""

    subject: str = field(repr=False)
    text: str = field(repr=False)
    html: str = field(repr=False)


def render_email(templates: Templates, folder: str, values: Mapping[str, object]) -> EmailText:
    """The words of an email; without a template of its own the page is made from the text.

    ``values["locale"]`` is that of the templates' words. Raises ``TemplateProblem``.
    """
    subject = " ".join(templates.render_part(folder, SUBJECT, values).split())
    if len(subject) > LONGEST_SUBJECT:
        raise TemplateProblem(f"{folder}/{SUBJECT} became longer than {LONGEST_SUBJECT} characters")
    text = templates.render_part(folder, TEXT, values)
    locale = str(values.get("locale", ""))
    if not templates.has_part(folder, PAGE):
        return EmailText(subject, text, page_of(text, subject, locale))
    return EmailText(subject, text, framed(templates.render_part(folder, PAGE, values), subject, locale))
