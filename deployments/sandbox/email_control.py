"""The control surface for emails: the verbs, and their typed client."""

from collections.abc import Callable
from dataclasses import asdict, dataclass

from deployments.sandbox.books import BookkeepingError
from deployments.sandbox.control_client import ControlClient
from deployments.sandbox.email_lives import event_of
from deployments.sandbox.email_types import AcceptedMail, EventPost, MailKind, MailLife
from deployments.sandbox.parts import Parts


@dataclass
class MailVerbs:
    """Each verb turns one thing about emails, or tells what became of them."""

    parts: Parts

    def verbs(self) -> dict[str, Callable[..., object]]:
        """The verbs by name."""
        return {
            "accepted_mails": self.accepted_mails,
            "event_posts": self.event_posts,
            "script_mail": self.script_mail,
            "send_event": self.send_event,
        }

    def accepted_mails(self) -> list[AcceptedMail]:
        """Every email that was accepted, oldest first."""
        return [mail.told() for mail in self.parts.mails.mails]

    def event_posts(self) -> list[EventPost]:
        """Every POST of events so far."""
        return self.parts.mail_lives.posts

    def script_mail(self, life: MailLife) -> None:
        """Lay down what becomes of emails to such addresses; the last that matches counts."""
        self.parts.mail_lives.lives.append(life)

    async def send_event(self, sid: str, word: str) -> None:
        """Post an event of any kind now, without moving the email."""
        mail = next((mail for mail in self.parts.mails.mails if mail.sid == sid), None)
        if mail is None:
            raise BookkeepingError(f"no email {sid}")
        at = int(self.parts.conditions.now().timestamp())
        await self.parts.mail_lives.post([event_of(mail, word, at)])


class MailControl(ControlClient):
    """Does with emails in the sandbox what mail servers, their users or bad luck would do."""

    def accepted_mails(self) -> tuple[AcceptedMail, ...]:
        """Every email that the sandbox accepted, oldest first: the only oracle of what was sent."""
        return self._ask("accepted_mails", tuple[AcceptedMail, ...])

    def event_posts(self) -> tuple[EventPost, ...]:
        """Every POST of SendGrid's events so far, with what came of it."""
        return self._ask("event_posts", tuple[EventPost, ...])

    def script_mail(self, kind: MailKind, to: str = "*") -> None:
        """Lay down what becomes of emails to addresses that match the glob ``to``, see ``MailLife``."""
        self._do("script_mail", life=asdict(MailLife(kind, to)))

    def send_event(self, sid: str, word: str) -> None:
        """Post SendGrid's event of any kind now, without moving the email."""
        self._do("send_event", sid=sid, word=word)
