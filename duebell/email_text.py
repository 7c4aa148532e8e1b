"""What an email says: its subject, its text and its page, from the templates of its kind."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from duebell.email.messages import LONGEST_SUBJECT, unfit_in_body, unfit_in_subject
from duebell.email.page import framed, page_of
from duebell.errors import TemplateProblem
from duebell.render import Templates
from duebell.segments import UNSEEN
from duebell.template_folders import PAGE, SUBJECT, TEXT
from duebell.visible import named

BETWEEN_PARAGRAPHS = re.compile(r"\n[ \t]*\n")
LEFT_OUT = dict.fromkeys(map(ord, UNSEEN))


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
    subject = templates.render_part(folder, SUBJECT, values, _as_subject)
    text = templates.render_part(folder, TEXT, values, _as_body)
    locale = str(values.get("locale", ""))
    if not templates.has_part(folder, PAGE):
        return EmailText(subject, text, page_of(text, subject, locale))
    page = templates.render_part(folder, PAGE, values, _as_body)
    return EmailText(subject, text, framed(page, subject, locale))


def _as_subject(said: str) -> str:
    subject = " ".join(said.translate(LEFT_OUT).split())
    if len(subject) > LONGEST_SUBJECT:
        raise TemplateProblem(f"became longer than {LONGEST_SUBJECT} characters")
    if unfit := unfit_in_subject(subject):
        raise TemplateProblem(f"holds the character {named(unfit)}, which no subject can have. Remove it")
    return subject


def _as_body(said: str) -> str:
    """An empty line begins a paragraph, any other line break is a blank."""
    paragraphs = BETWEEN_PARAGRAPHS.split(said)
    text = "\n\n".join(" ".join(one.split()) for one in paragraphs if one.strip())
    if unfit := unfit_in_body(text):
        raise TemplateProblem(f"holds the character {named(unfit)}, which no email can have. Remove it")
    return text
