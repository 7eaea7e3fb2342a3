import math

import pytest

from lagom.vis.verdicts import name, number, probability, spread_of


@pytest.mark.parametrize(
    ("value", "spread", "text"),
    [
        (412.3456, 61.2, "412"),
        (412.3456, 9.9, "412.3"),
        (-0.04, 61.2, "0"),
        (-3.14159, 0.0123, "-3.142"),
        (5.0, 0.0, "5.00"),
        (500.0, math.nan, "500"),
        (0.0, math.nan, "0.0"),
        (1.0, 1e-300, "1.000000000"),
        (2.5e7, 1.0, "2.5e+07"),
        (-1e50, 1e49, "-1e+50"),
        (math.nan, 1.0, "-"),
        (math.inf, 1.0, "-"),
    ],
)
def test_numbers_have_the_places_that_their_spread_leaves(value, spread, text):
    assert number(value, spread) == text


def test_probabilities_and_spreads():
    assert [probability(p) for p in (0.0, 0.00099, 0.001, 0.0347, 1.0, math.nan)] == [
        *("< 0.001", "< 0.001", "0.001", "0.035", "1", "-")
    ]
    assert spread_of([{"sd": 1.0}, {"sd": math.nan}, {"sd": 3.0}]) == 3.0
    assert math.isnan(spread_of([{"sd": math.nan}]))


def test_names_stay_on_their_line():
    assert name("a\n\x1b[31mb") == "a [31mb"
    assert len(name("x" * 500)) == 48
