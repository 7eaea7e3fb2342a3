import numpy as np
import pytest
from scipy import stats

from lagom.vis.power import detectable_difference, detectable_paired, seeds_needed

NAN = np.nan


@pytest.mark.parametrize(
    ("sd_x", "sd_y", "n", "m", "power", "alpha"),
    [(1.0, 1.0, 5, 5, 0.8, 0.05), (1.0, 3.0, 8, 8, 0.6, 0.05), (2.0, 1.0, 4, 12, 0.9, 0.01)]
    + [(1.0, 1.0, 2, 2, 0.8, 0.05), (1.0, 2.0, 2, 5, 0.7, 0.05)],
)
def test_detectable_difference_is_detected(sd_x, sd_y, n, m, power, alpha):
    rng = np.random.default_rng(0)
    d = detectable_difference(sd_x, sd_y, n, m, power, alpha)
    x, y = rng.normal(d, sd_x, (n, 20_000)), rng.normal(0, sd_y, (m, 20_000))

    found = stats.ttest_ind(x, y, equal_var=False).pvalue < alpha

    assert found.mean() == pytest.approx(power, abs=0.01)


def test_detectable_paired_is_detected():
    rng = np.random.default_rng(0)
    x = rng.normal(detectable_paired(2.0, 6), 2.0, (6, 20_000))

    assert np.mean(stats.ttest_1samp(x, 0.0).pvalue < 0.05) == pytest.approx(0.8, abs=0.01)


def test_detectable_paired_of_the_noncentral_t():
    for n, power, alpha in ((7, 0.8, 0.05), (9, 0.2, 0.19)):  # of the second both tails matter
        t = stats.t.ppf(1 - alpha / 2, n - 1)
        shift = detectable_paired(3.0, n, power, alpha) / 3.0 * np.sqrt(n)
        missed = stats.nct.cdf(t, n - 1, shift) - stats.nct.cdf(-t, n - 1, shift)
        assert missed == pytest.approx(1 - power)


def test_detectable_difference_of_many_seeds_is_that_of_the_normal_distribution():
    d = detectable_difference(1.0, 2.0, 4000, 1000)

    expected = stats.norm.ppf(0.975) + stats.norm.ppf(0.8)
    assert d == pytest.approx(expected * np.sqrt(1 / 4000 + 4 / 1000), rel=2e-3)


def test_what_does_not_vary_needs_no_seeds():
    assert detectable_difference(0.0, 0.0, 3, 3) == 0.0
    assert detectable_paired(0.0, 3) == 0.0
    assert seeds_needed(1e-9, 0.0, 0.0) == seeds_needed(1e-9, 0.0) == 2
    assert detectable_difference(0.0, 1.0, 2, 9) == pytest.approx(
        detectable_paired(1.0, 9), rel=1e-3
    )


@pytest.mark.parametrize("difference", [0.001, 0.3, 1.0, 2.5, 1000.0])
def test_seeds_needed_are_the_fewest_that_do(difference):
    n = seeds_needed(difference, 1.0, 2.0)
    assert detectable_difference(1.0, 2.0, n, n) <= difference
    assert n == 2 or detectable_difference(1.0, 2.0, n - 1, n - 1) > difference

    n = seeds_needed(difference, 2.0, power=0.9, alpha=0.01)
    assert detectable_paired(2.0, n, 0.9, 0.01) <= difference
    assert n == 2 or detectable_paired(2.0, n - 1, 0.9, 0.01) > difference


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: detectable_difference(1, -1, 5, 5), "a deviation is -1; expected a finite one"),
        (lambda: detectable_difference(NAN, 1, 5, 5), "a deviation is nan"),
        (lambda: detectable_difference(1, 1, 5, 1), "1 seeds; expected at least 2"),
        (lambda: detectable_paired(1, 1), "detectable_paired: 1 seeds"),
        (lambda: detectable_paired(1, 5, power=1.0), "power is 1.0; expected a number between"),
        (lambda: detectable_paired(1, 5, alpha=0.0), "alpha is 0.0; expected a number between"),
        (lambda: detectable_paired(1, 5, power=0.04), "power is 0.04; expected more than alpha"),
        (lambda: seeds_needed(1, -1), "seeds_needed: a deviation is -1"),
        (lambda: seeds_needed(0.0, 1), "difference is 0.0; expected a positive number"),
        (lambda: seeds_needed(NAN, 1), "difference is nan; expected a positive number"),
    ],
)
def test_mistakes(call, message):
    with pytest.raises(ValueError, match=message):
        call()
