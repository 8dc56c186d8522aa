"""What a CPU hour costs here, so that work can be told in money."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from everfit.contracts.errors import UserError
from everfit.contracts.wording import cpu_time

SETTING = "EVERFIT_CPU_HOUR_PRICE"

_PRICE = re.compile(
    r"(?P<value>\d{1,9}(?:\.\d{1,9})?)\s*(?P<currency>[^\W\d_]{1,8}|[^\w\s.,;+-]{1,3})"
)


@dataclass(frozen=True)
class Price:
    """Of one CPU hour."""

    value: float
    currency: str
    """A code or a sign: ``EUR``, ``$``."""

    def money(self, cpu_seconds: float) -> str:
        """What so much work costs, in hundredths.

        Parameters
        ----------
        cpu_seconds : float

        Examples
        --------
        >>> Price(0.05, "EUR").money(100 * 3600.0), Price(0.05, "$").money(36.0)
        ('5.00 EUR', 'under $0.01')
        """
        value = cpu_seconds / 3600 * self.value
        small = 0 < value < 0.01
        text = f"{math.ceil(100 * value) / 100 if small else value:,.2f}"
        is_sign = not self.currency[0].isalpha()
        told = f"{self.currency}{text}" if is_sign else f"{text} {self.currency}"
        return f"under {told}" if small else told


def read_price(text: str) -> Price | None:
    """The price that ``EVERFIT_CPU_HOUR_PRICE`` names; None where it is empty.

    Raises
    ------
    UserError
        If it is not a number and a currency.

    Examples
    --------
    >>> read_price("0.04 EUR")
    Price(value=0.04, currency='EUR')
    """
    if not text.strip():
        return None
    found = _PRICE.fullmatch(text.strip())
    if found is None:
        raise UserError(
            "CPU-HOUR-PRICE",
            SETTING,
            "the price of a CPU hour is a number and a currency, such as 0.04 EUR",
            f"it is {text.strip()[:40]!r}",
            "Correct the setting, or unset it",
        )
    return Price(float(found["value"]), found["currency"])


def work(cpu_seconds: float, price: Price | None) -> str:
    """CPU time and, where there is a price, money: ``1.5 CPU hours, 0.08 EUR``."""
    told = cpu_time(cpu_seconds)
    return told if price is None else f"{told}, {price.money(cpu_seconds)}"
