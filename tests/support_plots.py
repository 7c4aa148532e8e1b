"""What is to happen in a simulated life: the usual trouble, what rarely happens, or trouble that is drawn."""

from dataclasses import replace
from random import Random

from tests.support_clockwork import Nerves
from tests.support_fates import AFTER_ALL, FATES, HELD_AFTER_ALL, HELD_FATES, SORELY_WRONG, Fate
from tests.support_played_twilio import Disorder
from tests.support_simulation import Plot

A_LIFE = 400
LATER = "14:19"
"""Some minutes after a life begins: what comes before waits for the hours in which people are written to."""
WILD = Disorder(queues=0.5, fails=0.15, corrected=0.4, expires=0.06, undelivered=0.15, forgets=0.1)
WILDER = Disorder(queues=0.9, fails=0.3, corrected=0.2, undelivered=0.5)
MOST = 0.6
"""The largest share of POSTs that fare ill in a drawn life: with more, a day is too short to tell of all."""


def plot_of(
    seed: int,
    messages: int,
    *,
    sending: str,
    trouble: str = "usual",
    legs: bool = False,
    reminds: bool = False,
    emails: bool = False,
) -> Plot:
    """What is to happen in the life of a seed.

    ``trouble`` is ``usual``, ``wide`` or ``drawn``. In a ``wide`` life people do what they rarely do; in
    every other of these, Twilio mostly answers wrong. In a ``drawn`` one the seed says how often anything
    goes wrong. In one with ``legs`` many numbers are bad, and an email takes over; in one with ``emails`` all
    is said by email alone.
    """
    holds = sending == "hold"
    plot = Plot(seed, messages, fates=HELD_FATES if holds else FATES, holds=holds, reminds=reminds)
    plot = replace(plot, legs=legs, emails=emails)
    if reminds:
        plot = replace(plot, changes=0.2)
    if trouble == "drawn":
        plot = _drawn(plot)
    elif trouble == "wide":
        plot = _wide(plot)
    plot = replace(plot, nerves=_in_a_crowd(plot.nerves, messages))
    return _with_bad_numbers(plot) if legs else plot


def _wide(plot: Plot) -> Plot:
    if plot.holds:
        return replace(plot, fates=HELD_AFTER_ALL, disorder=WILD, office=True, opens=LATER)
    if plot.seed % 2:
        return replace(plot, fates=AFTER_ALL, disorder=WILD, office=True, opens=LATER)
    return replace(plot, fates=SORELY_WRONG, disorder=WILDER, changes=0.0, reads_fail=0.6)


def _drawn(plot: Plot) -> Plot:
    random = Random(f"plot {plot.seed}")  # noqa: S311 - a story, no secret
    return replace(
        plot,
        workers=random.randint(1, 5),
        arrive_within=random.choice([60.0, 600.0, 1_200.0]),
        nerves=Nerves(dies=random.choice([0, 0.001, 0.003, 0.01]), stops=random.choice([0, 0.0012, 0.004])),
        fates=_fates(random, HELD_AFTER_ALL if plot.holds else AFTER_ALL),
        disorder=_disorder(random),
        changes=random.choice([0.0, 0.12, 0.3, 0.5]),
        reads_fail=random.choice([0.0, 0.03, 0.3]),
        nudges_lost=random.choice([0.0, 0.1, 0.5]),
        runs_twice=random.choice([0.0, 0.05, 0.4]),
        office=random.random() < 0.6,
        opens=random.choice(["00:00", LATER]),
    )


def _fates(random: Random, possible: tuple[Fate, ...]) -> tuple[Fate, ...]:
    """Some of these, each up to eight times as often as usual; seldom one that stops a channel."""
    chosen = [one for one in possible if random.random() < 0.8]
    often = {one.name: random.choice([0.3, 1, 3, 8]) for one in chosen}
    often = {name: min(factor, 1) if name.startswith("20003") else factor for name, factor in often.items()}
    fates = [replace(one, share=one.share * often[one.name]) for one in chosen]
    too_much = max(1.0, sum(one.share for one in fates) / MOST)
    return tuple(replace(one, share=one.share / too_much) for one in fates)


def _disorder(random: Random) -> Disorder:
    return Disorder(
        receipts_lost=random.choice([0.0, 0.3, 0.8]),
        receipts_twice=random.choice([0.0, 0.3, 0.8]),
        receipts_late=random.choice([2.0, 120.0, 900.0]),
        list_lag=random.choice([0.0, 30.0]),
        list_hides=random.choice([0.0, 0.02, 0.3]),
        reads_fail=random.choice([0.0, 0.05, 0.3]),
        cancels_fail=random.choice([0.0, 0.1, 0.5]),
        undelivered=random.choice([0.0, 0.05, 0.4]),
        queues=random.choice([0.0, 0.5]),
        fails=random.choice([0.0, 0.15]),
        corrected=random.choice([0.0, 0.4]),
        expires=random.choice([0.0, 0.06]),
    )


def _with_bad_numbers(plot: Plot) -> Plot:
    """The same, where many numbers can never be reached. That a message arrived is not denied first: nobody
    can help it that an email has followed by then.
    """
    fates = tuple(replace(one, share=0.06) if one.name == "21211" else one for one in plot.fates)
    return replace(plot, fates=fates, disorder=replace(plot.disorder, corrected=0.0, undelivered=0.3))


def _in_a_crowd(usual: Nerves, messages: int) -> Nerves:
    """Processes die as often in a crowded life as in any: one run takes more steps there."""
    crowd = max(1.0, messages / A_LIFE)
    return replace(usual, dies=usual.dies / crowd, stops=usual.stops / crowd)
