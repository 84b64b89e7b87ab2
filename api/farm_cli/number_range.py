"""A number between two bounds, as an option's type.

Used by the commands with such options. click lets `nan` through every bound, as it is neither below nor above one.
"""

import math
from typing import Any

import click


class NumberRange(click.FloatRange):
    """A number between two bounds, and no `nan`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number, or a sentence why it is none."""
        number: float = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value} is no number", param, ctx)
        return number
