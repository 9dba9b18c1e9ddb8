"""The turns that ``writer.py`` writes: number n is the same in every process."""

from trialwright.messages import Continue, Reported, at_step
from trialwright.storage.base import Turn


def turn(number):
    """A turn of one event, with the decisions on the one before."""
    frame = Reported(number % 7, 1, number, (0.25 * number,), {"loss": [number / 3], "note": ["x" * (number % 900)]})
    return Turn(float(number), [frame], [[Continue(at_step(number))]], f"{number:016x}")
