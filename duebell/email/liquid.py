"""Text that Twilio's Email API is to show as it is, though it reads subject and body as LiquidJS templates.

An unpaired ``{{`` fails the whole email there, a paired one vanishes with all that it encloses
(twilio.com/docs/email/api/personalization, liquidjs.com).
"""

import re

# A brace opens something only before a brace or a percent sign. Written as an output of its own it opens
# nothing. Only one brace is quoted at a time: a quoted "{%" would still open a tag to a reader that looks
# for tags first.
_OPENING = re.compile(r"\{(?=[{%])")
_QUOTED = '{{ "{" }}'


def literal(text: str) -> str:
    """A template that renders to ``text``, whatever it holds; without opening braces, the text itself."""
    return _OPENING.sub(_QUOTED, text)
