"""What becomes of a POST to a played provider, and what its sender sees of that."""

from dataclasses import dataclass, replace

import httpx


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of one POST: whether it is taken, after how long, and what its sender sees, and when."""

    name: str
    share: float
    taken: bool = False
    after: tuple[float, float] = (0.05, 0.5)
    answer_after: tuple[float, float] = (0.1, 1.5)
    copies: int = 1
    """How often it arrives, where something on the way repeats it."""
    told_within: tuple[float, float] | None = None
    """That every receipt comes, and after how long, where the answer to the POST says the contrary."""
    follows: str = ""
    """What people do as soon as it arrives: the customer says ``STOP``, or a person puts the ``brake`` on."""
    listed_after: float = 0.0
    """How long Twilio's list hides it at least, in seconds."""

    def break_off(self, request: httpx.Request) -> None:
        """Raise what the sender sees where no answer comes."""
        if self.name == "no connection":
            raise httpx.ConnectError("no connection", request=request)
        if "lost" in self.name:
            raise httpx.ReadTimeout("no answer", request=request)


FATES = (
    Fate("no connection", 0.03),
    Fate("lost on the way", 0.02, answer_after=(10, 11)),
    Fate("taken, the answer lost", 0.03, taken=True, answer_after=(10, 11)),
    Fate("taken late, the answer lost", 0.01, taken=True, after=(5, 90), answer_after=(20, 21)),
    Fate("500, not taken", 0.01),
    Fate("503, taken", 0.01, taken=True),
    Fate("taken, the answer unreadable", 0.003, taken=True),
    Fate("429", 0.04),
    Fate("21211", 0.003),
    Fate("21610", 0.002),
)
ONLY_HELD = (
    Fate("taken much later, the answer lost", 0.01, taken=True, after=(60, 2_400), answer_after=(20, 21)),
    Fate("taken twice, the answer lost", 0.01, taken=True, after=(1, 300), answer_after=(10, 11), copies=2),
)
"""Of messages that Twilio holds: only there may one be under way for long, or twice."""
FOR_HELD_ALONE = {one.name for one in ONLY_HELD}
HELD_FATES = (*FATES, *ONLY_HELD)
SEEN_LATE = (80.0, 300.0)
"""After how long a sender that stood still sees an answer: others hold it for dead by then."""
SORELY_WRONG = (
    Fate("429, taken after all", 0.2, taken=True, told_within=(0.05, 12)),
    Fate("429, taken after all, and STOP", 0.25, taken=True, told_within=(8, 200), follows="STOP"),
    Fate("429, taken after all, and a brake", 0.15, taken=True, told_within=(8, 140), follows="brake"),
    Fate("21211, taken after all", 0.15, taken=True, told_within=(0.05, 300)),
    Fate("20003, taken after all", 0.05, taken=True, told_within=(0.05, 300)),
    Fate(
        "taken, the answer lost, told late",
        0.2,
        taken=True,
        answer_after=(10, 11),
        told_within=(1_000, 5_000),
        listed_after=6_000,
    ),
)
"""Answers that a receipt proves wrong: where that comes too late, the message is not to be sent anew."""
AFTER_ALL = (
    *FATES,
    *(replace(one, share=one.share / 4) for one in SORELY_WRONG),
    Fate("429, seen late", 0.02, answer_after=SEEN_LATE),
    Fate("20003, seen late", 0.02, answer_after=SEEN_LATE),
    Fate("21211, seen late", 0.02, answer_after=SEEN_LATE),
)
HELD_AFTER_ALL = (*HELD_FATES, Fate("20003", 0.01))
WELL = Fate("taken", 1.0, taken=True)
AMBIGUOUS = {one.name for one in AFTER_ALL if one.taken} | {"lost on the way", "500, not taken", WELL.name}
"""After these a message may exist: no other POST may follow for the same piece of news."""
