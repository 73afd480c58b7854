"""Ten bands of a tenth each."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from exams.score_bands import score_bands


def test_the_borders_belong_to_the_band_that_they_begin() -> None:
    bands = score_bands(
        [(Decimal(points), Decimal(100)) for points in ("0", "9.99", "10", "79.99", "80", "89", "90", "100")]
    )
    assert [band.count for band in bands] == [2, 1, 0, 0, 0, 0, 0, 1, 2, 2]
    assert [band.name for band in bands][::9] == ["0–9", "90–100"]


def test_a_paper_without_points_left_counts_nowhere() -> None:
    assert sum(band.count for band in score_bands([(Decimal(0), Decimal(0))])) == 0


@given(st.lists(st.tuples(st.integers(0, 9900), st.integers(1, 99)), max_size=30))
def test_every_score_is_counted_once_and_within_its_band(drawn: list[tuple[int, int]]) -> None:
    results = [(Decimal(points % (total * 100 + 1)) / 100, Decimal(total)) for points, total in drawn]
    bands = score_bands(results)
    assert sum(band.count for band in bands) == len(results)
    for result in results:
        [hit] = [band for band in score_bands([result]) if band.count]
        share = result[0] * 100 / result[1]
        assert hit.low <= share < hit.low + 10 or share == hit.high == 100
