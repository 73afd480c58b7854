"""The Rasch model with guessing in whole numbers: the same chances on every machine.

Chances and information are int64 of `SCALE` to one, abilities and difficulties thousandths of a
logit. Floating point is left out on purpose: a paper must not hang on a processor's last bit.
"""

from __future__ import annotations

from decimal import Decimal, localcontext
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Whole = NDArray[np.int64]

SCALE = 1 << 20

_BITS = 30
_ONE = 1 << _BITS
_TO_SCALE = _BITS - 20
_STEPS = 128
_FARTHEST = _STEPS * _STEPS - 1  # 16.4 logits: a chance of 10⁻⁷
_SQRT_3 = 1732  # thousandths


def _decay(step: int) -> Whole:
    """exp(-k * step / 1000) for k = 0 … 127, rounded by exact decimal arithmetic."""
    with localcontext() as context:
        context.prec = 40
        return np.array(
            [int((_ONE * (Decimal(-k * step) / 1000).exp()).to_integral_value()) for k in range(_STEPS)], dtype=np.int64
        )


_COARSE, _FINE = _decay(_STEPS), _decay(1)


def logistic(x: Whole) -> Whole:
    """1 / (1 + exp(-x)) in 30 bits, `x` in thousandths."""
    far = np.minimum(np.abs(x), _FARTHEST)
    decayed = (_COARSE[far // _STEPS] * _FINE[far % _STEPS]) >> _BITS
    upper = (_ONE << _BITS) // (_ONE + decayed)
    chance: Whole = np.where(x >= 0, upper, _ONE - upper)
    return chance


def judge(ability: int, b: Whole, se: Whole, quarters: Whole) -> tuple[Whole, Whole, Whole]:
    """At an ability: each item's chance of a right answer, its information, and the squared error of that chance.

    The difficulty being uncertain, chance and slope are means over it (three-point Gauss-Hermite).
    """
    away = se * _SQRT_3 // 1000
    right, slope = np.zeros_like(b), np.zeros_like(b)
    for weight, difficulty in ((1, b - away), (4, b), (1, b + away)):
        knows = logistic(ability - difficulty)
        right += weight * ((quarters * _ONE + (4 - quarters) * knows) // 4)
        slope += weight * (((4 - quarters) * ((knows * (_ONE - knows)) >> _BITS)) // 4)
    right, slope = right // 6, slope // 6
    spread = np.maximum((right * (_ONE - right)) >> _BITS, 1)
    error = ((slope >> _TO_SCALE) * se // 1000) ** 2 >> 20
    return right >> _TO_SCALE, (slope * slope // spread) >> _TO_SCALE, error
