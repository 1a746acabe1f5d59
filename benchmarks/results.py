"""What a measurement gives: a ratio or a figure, its bound, and what it was made of."""

from collections.abc import Callable
from dataclasses import dataclass

Say = Callable[[str], None]
"""Tells a person how far the work is."""


@dataclass(frozen=True)
class Result:
    """One line of the table.

    Attributes:
        part: The letter of the measurement and its name, as in "a overlap".
        what: What is measured, in words.
        value: The ratio, or the figure.
        unit: Empty for a ratio.
        bound: The most that `value` may be; None where the line only informs.
        detail: What the value was made of.
    """

    part: str
    what: str
    value: float
    unit: str = ""
    bound: float | None = None
    detail: str = ""

    @property
    def verdict(self) -> str:
        """Whether the bound is kept; empty where there is none."""
        if self.bound is None:
            return ""
        return "kept" if self.value <= self.bound else "not kept"

    @property
    def shown(self) -> str:
        """The value as it is printed."""
        return f"{self.value:,.2f}" if not self.unit else f"{self.value:,.4g} {self.unit}"
