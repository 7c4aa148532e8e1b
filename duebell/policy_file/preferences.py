"""The policy's section on what customers want."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StrictBool, field_validator

from duebell.policy_file.shapes import Section, Text


class StopEnds(StrEnum):
    """What is over for the customer who answers STOP to an SMS, or is stopped at their number by a person.

    ``sms``: what goes to this number; email goes on, where the channels have it. ``everything``: email too.
    """

    SMS = "sms"
    EVERYTHING = "everything"


class PreferencesPolicy(Section):
    """What customers want. ``no_messages_groups``: contact groups of those who want no message at all.

    ``mirror_to_twilio``: Twilio is told too, for every sender of ours. ``write_back_group``: the contact
    group in Xero that shows who stopped; empty for none.
    """

    no_messages_groups: tuple[Text, ...] = ()
    stop_ends: StopEnds = StopEnds.SMS
    mirror_to_twilio: StrictBool = False
    write_back_group: Annotated[str, Field(strict=True, max_length=200)] = ""

    @property
    def stop_ends_email(self) -> bool:
        """Whether who stopped at their number hears nothing by email either."""
        return self.stop_ends is StopEnds.EVERYTHING

    @field_validator("write_back_group")
    @classmethod
    def _without_blanks(cls, name: str) -> str:
        return name.strip()
