import numpy as np
import pytest
from scipy import stats

from lagom.vis.contrast import contrast, deviation, differences, holm, paired, welch

NAN = np.nan


@pytest.mark.parametrize(("n", "m"), [(2, 2), (5, 5), (3, 10)])
def test_welch_is_scipys(n, m):
    rng = np.random.default_rng(n)
    x, y = rng.normal(1, 1, n), rng.normal(0, 4, m)

    d, expected = welch(x, y, level=0.9), stats.ttest_ind(x, y, equal_var=False)

    interval = expected.confidence_interval(0.9)
    assert (d.low, d.high) == pytest.approx((interval.low, interval.high))
    assert (d.value, d.p, d.freedom) == pytest.approx(
        (x.mean() - y.mean(), expected.pvalue, expected.df)
    )


def test_paired_is_scipys():
    rng = np.random.default_rng(0)
    x = rng.normal(0, 10, 6)
    y = x + rng.normal(1, 1, 6)

    d, expected = paired(x, y), stats.ttest_rel(x, y)

    interval = expected.confidence_interval()
    assert (d.low, d.high) == pytest.approx((interval.low, interval.high))
    assert (d.value, d.p, d.freedom) == pytest.approx((np.mean(x - y), expected.pvalue, 5))


def test_contrast_of_one_sample_and_of_means_over_tasks():
    x = np.array([2.0, 3.0, 3.0, 4.0])
    mean = contrast([x], [1.0])
    expected = stats.ttest_1samp(x, 0.0)
    assert (mean.low, mean.high) == pytest.approx(tuple(expected.confidence_interval()))
    assert (mean.value, mean.p, mean.freedom) == pytest.approx((3.0, expected.pvalue, 3.0))

    # error² 4/4 * 1 + 1/4 * 4/2 = 1.5, freedom 1.5² / (1/3 + 0.5²/1)
    x, y = np.array([-np.sqrt(6), 0, 0, np.sqrt(6)]), np.array([0.0, 2 * np.sqrt(2)])
    d = contrast([x, y], [1.0, -0.5])
    assert d.value == pytest.approx(-np.sqrt(2) / 2)
    assert d.freedom == pytest.approx(1.5**2 / (1 / 3 + 0.25))
    assert d.high - d.value == pytest.approx(stats.t.ppf(0.975, d.freedom) * np.sqrt(1.5))


def test_intervals_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(0)
    pairs = [(rng.normal(0, 1, 5), rng.normal(0, 3, 5)) for _ in range(2000)]
    d = [welch(x, y) for x, y in pairs]

    assert np.mean([e.low < 0 < e.high for e in d]) == pytest.approx(0.95, abs=0.015)
    assert np.mean([e.p < 0.05 for e in d]) == pytest.approx(0.05, abs=0.015)


def test_too_few_seeds_have_no_interval():
    one, two = np.array([3.0]), np.array([1.0, 2.0])
    for d in (welch(one, two), welch(two, one), paired(one, one - 1), contrast([one], [1.0])):
        assert np.isnan([d.low, d.high, d.p, d.freedom]).all()
    assert welch(one, two).value == 1.5
    assert np.isnan(deviation(one))


def test_seeds_that_are_all_alike_give_no_p():
    saturated = np.full(7, 0.1)
    assert saturated.std() > 0  # its mean is not 0.1

    d = welch(saturated, saturated - 1)
    assert (d.value, d.low, d.high) == pytest.approx((1.0, 1.0, 1.0))
    assert np.isnan([d.p, d.freedom]).all()
    assert deviation(saturated) == 0.0
    one_sided = welch(saturated, np.array([1.0, 2.0, 3.0]))
    assert one_sided.freedom == pytest.approx(2.0)


def test_rounding_is_no_difference():
    x = np.array([0.3, 0.4, 0.7])
    y = np.array([0.1, 0.2, 0.5])
    assert np.ptp(x - y) > 0

    assert np.ptp(differences(x, y)) == 0
    assert np.isnan(paired(x, y).p)
    np.testing.assert_array_equal(differences(np.array([1.0, 3.0]), 1.0), [0.0, 2.0])


def test_huge_values_do_not_overflow():
    x = np.array([1e100, 2e100, 4e100])

    d, small = welch(x, -x), welch(x / 1e100, -x / 1e100)

    assert (d.p, d.freedom) == pytest.approx((small.p, small.freedom))


def test_holm_by_hand():
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03]), [0.03, 0.06, 0.06])
    np.testing.assert_allclose(holm([0.5, 0.4]), [0.8, 0.8])
    np.testing.assert_allclose(holm([0.9, 0.9]), [1.0, 1.0])
    np.testing.assert_array_equal(holm([NAN, 0.02, NAN]), [NAN, 0.02, NAN])
    assert holm([]).shape == (0,)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: welch([1.0], []), r"contrast: got \[\]"),
        (lambda: paired(np.ones(5), np.ones(6)), "paired: 5 and 6 values; expected pairs"),
    ],
)
def test_mistakes(call, message):
    with pytest.raises(ValueError, match=message):
        call()
