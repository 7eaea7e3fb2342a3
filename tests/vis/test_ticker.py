import pytest
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lagom.vis import set_ticker


@pytest.mark.parametrize(
    ("x", "integer", "label"),
    [
        (0.0, False, "0"),
        (0.25, False, "0.25"),
        (500, False, "500"),
        (1000, False, "1.0K"),
        (1500, False, "1.5K"),
        (200000.0, False, "200.0K"),
        (1e6, False, "1.0M"),
        (2500000, False, "2.5M"),
        (-1500, False, "-1.5K"),
        (3 * 1000.1, False, "3.0003K"),  # 3000.2999999999997 in floating point
        (999.5, True, "999"),
        (1500, True, "1K"),
        (200000.0, True, "200K"),
        (999999, True, "999K"),
        (2500000, True, "2M"),
    ],
)
def test_thousands_and_millions(x, integer, label):
    ax = Figure().subplots()

    set_ticker(ax, KM_format=True, integer=integer)

    assert ax.xaxis.get_major_formatter()(x) == label


def test_number_of_ticks_on_the_axis_asked_for():
    ax = Figure().subplots()
    before = ax.xaxis.get_major_locator()

    assert set_ticker(ax, axis="y", num=4) is ax

    locator = ax.yaxis.get_major_locator()
    assert isinstance(locator, MaxNLocator)
    assert locator._nbins == 4
    assert ax.xaxis.get_major_locator() is before


def test_integer_ticks_lie_at_integers():
    ax = Figure().subplots()
    ax.set_ylim(0, 2)

    set_ticker(ax, axis="y", num=10, integer=True)

    assert list(ax.get_yticks()) == [0, 1, 2]


def test_without_options_nothing_changes():
    ax = Figure().subplots()
    before = ax.xaxis.get_major_locator(), ax.xaxis.get_major_formatter()

    set_ticker(ax)

    assert (ax.xaxis.get_major_locator(), ax.xaxis.get_major_formatter()) == before


def test_other_axes_are_refused():
    with pytest.raises(ValueError, match="axis is 'z'; expected 'x' or 'y'"):
        set_ticker(Figure().subplots(), axis="z")
