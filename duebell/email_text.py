"""What an email says: its subject, its text and its page, from the templates of its kind."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from duebell.email.messages import LONGEST_SUBJECT
from duebell.email.page import framed, page_of
from duebell.errors import TemplateProblem
from duebell.render import Templates

SUBJECT, TEXT, PAGE = "subject.txt", "body.txt", "body.html"


@dataclass(frozen=True, slots=True)
class EmailText:
    """An email's words. ``html`` says the same as ``text``."""

    subject: str = field(repr=False)
    text: str = field(repr=False)
    html: str = field(repr=False)


def render_email(templates: Templates, kind: str, values: Mapping[str, object]) -> EmailText:
    """The words of an email; without a template of its own the page is made from the text.

    ``values["locale"]`` is that of the templates' words. Raises ``TemplateProblem``.
    """
    subject = " ".join(templates.render_part(kind, SUBJECT, values).split())
    if len(subject) > LONGEST_SUBJECT:
        raise TemplateProblem(f"{kind}/{SUBJECT} became longer than {LONGEST_SUBJECT} characters")
    text = templates.render_part(kind, TEXT, values)
    locale = str(values.get("locale", ""))
    if not templates.has_part(kind, PAGE):
        return EmailText(subject, text, page_of(text, subject, locale))
    return EmailText(subject, text, framed(templates.render_part(kind, PAGE, values), subject, locale))


def check_email(templates: Templates, kind: str) -> None:
    """Raise ``TemplateProblem`` for a part that would be refused whatever the values are."""
    for part in (SUBJECT, TEXT, *([PAGE] if templates.has_part(kind, PAGE) else [])):
        templates.check(kind, part)
