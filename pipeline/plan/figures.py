"""Products that print themselves: the text shows the numbers that were multiplied."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Product:
    """Numbers with their names, multiplied."""

    factors: tuple[tuple[float, str], ...]

    @property
    def value(self) -> float:
        return math.prod(number for number, _ in self.factors)

    @property
    def text(self) -> str:
        """`10 reward models × 105,348 pairs × 2 texts`."""
        return " × ".join(f"{shown(number)} {name}".rstrip() for number, name in self.factors)


def product(*factors: tuple[float, str]) -> Product:
    """The product of (number, name) factors; factors of 1 are left out."""
    return Product(tuple((number, name) for number, name in factors if number != 1))


def shown(number: float) -> str:
    """Whole numbers below ten million in full, others to four digits."""
    if number == int(number) and abs(number) < 1e7:
        return f"{int(number):,}"
    return f"{number:.4g}".replace("e+0", "e").replace("e+", "e")


def gigabytes(size_bytes: float) -> str:
    """Decimal gigabytes, the unit of GPU data sheets."""
    return f"{size_bytes / 1e9:,.1f} GB"
