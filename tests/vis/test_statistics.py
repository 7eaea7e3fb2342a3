import numpy as np
import pytest
from scipy import stats

from lagom.vis.statistics import (
    bootstrap_interval,
    contrast,
    detectable_difference,
    detectable_paired,
    deviation,
    differences,
    holm,
    iqm,
    optimality_gap,
    paired,
    performance_profile,
    probability_of_improvement,
    seeds_needed,
    welch,
)

# A row per task, a column per seed; what is expected of them is what rliable 1.2 gives.
A = [
    np.array([0.1, 0.2, 0.3, 0.4, 0.0]),
    np.array([0.5, 0.6, 0.4, 0.8, 0.5]),
    np.array([0.9, 1.1, 1.2, 0.7, 1.5]),
]
B = [
    np.array([0.2, 0.1, 0.0, 0.3, 0.1, 0.2]),
    np.array([0.3, 0.6, 0.2, 0.7, 0.5, 0.1]),
    np.array([0.8, 0.9, 1.0, 0.6, 1.1, 0.9]),
]
NAN = np.nan


def trimmed_by_definition(scores):
    """Every task weighs the same; of the sorted weight, count what lies between both cuts."""
    pairs = sorted((float(v), 1 / len(s) / len(scores)) for s in scores for v in s)
    cut = len(pairs) // 4 / len(pairs)
    total, position = 0.0, 0.0
    for value, weight in pairs:
        inside = min(position + weight, 1 - cut) - max(position, cut)
        total += value * max(inside, 0.0)
        position += weight
    return total / (1 - 2 * cut)


def improvement_by_definition(x, y):
    tasks = [
        np.mean([[(a > b) + (a == b) / 2 for b in ys] for a in xs])
        for xs, ys in zip(x, y, strict=True)
    ]
    return float(np.mean(tasks))


# Aggregates


def test_points_are_those_of_rliable():
    assert iqm(A) == pytest.approx(0.5666666667)
    assert iqm(B) == pytest.approx(0.44)
    assert optimality_gap(A) == pytest.approx(0.44)
    assert optimality_gap(B) == pytest.approx(0.5277777778)
    assert optimality_gap(A, target=0.5) == pytest.approx(0.1066666667)
    assert probability_of_improvement(A, B) == pytest.approx(0.6666666667)


def test_intervals_are_those_of_rliable():
    improvement = lambda both: probability_of_improvement(both[:3], both[3:])
    mean = lambda scores: sum(s.mean(-1) for s in scores) / 3
    for statistic, scores, low, high in (
        (iqm, A, 0.48888889, 0.66666667),
        (iqm, B, 0.33, 0.55),
        (optimality_gap, A, 0.37333333, 0.50666667),
        (optimality_gap, B, 0.45555556, 0.6),
        (mean, A, 0.52, 0.71333333),
        (mean, B, 0.4, 0.55555556),
        (improvement, A + B, 0.46666667, 0.84444444),
    ):
        assert bootstrap_interval(statistic, scores) == pytest.approx((low, high), abs=0.012)


def test_profile_is_that_of_rliable():
    share, low, high = performance_profile(A, [0.0, 0.25, 0.5, 0.75, 1.0], num=20_000)

    np.testing.assert_allclose(share, [14 / 15, 0.8, 7 / 15, 1 / 3, 0.2])  # above, not at
    np.testing.assert_allclose(low, [0.8, 2 / 3, 1 / 3, 0.2, 1 / 15], atol=0.001)
    np.testing.assert_allclose(high, [1.0, 14 / 15, 0.6, 7 / 15, 1 / 3], atol=0.001)


def test_tasks_count_the_same_whatever_their_number_of_seeds():
    few, many = np.array([0.0]), np.array([1.0, 1.0, 1.0])
    assert iqm([few, many]) == pytest.approx(0.5)  # a quarter is one score: 0.25 of each end
    assert optimality_gap([few, many]) == pytest.approx(0.5)
    assert performance_profile([few, many], [0.5], num=10)[0] == pytest.approx([0.5])

    rng = np.random.default_rng(0)
    for sizes in ([3], [2, 5], [7, 1, 4], [10, 9, 8, 7]):
        scores = [rng.normal(size=n) for n in sizes]
        assert iqm(scores) == pytest.approx(trimmed_by_definition(scores))


def test_iqm_of_equal_tasks_is_the_trimmed_mean():
    rng = np.random.default_rng(0)
    for n in (1, 2, 4, 5, 9):
        scores = rng.normal(size=(3, n))
        assert iqm(list(scores)) == pytest.approx(stats.trim_mean(scores, 0.25, axis=None))


def test_improvement_counts_pairs_and_halves_ties():
    x, y = [np.array([1.0, 2.0, 2.0]), np.array([5.0])], [np.array([2.0, 0.0]), np.array([5.0])]

    assert improvement_by_definition(x, y) == pytest.approx((4 / 6 + 1 / 2) / 2)
    assert probability_of_improvement(x, y) == pytest.approx((4 / 6 + 1 / 2) / 2)
    assert probability_of_improvement(y, x) == pytest.approx(1 - (4 / 6 + 1 / 2) / 2)


def test_leading_axes_are_replications():
    rng = np.random.default_rng(0)
    x, y = ([rng.integers(0, 5, (4, n)).astype(float) for n in (3, 6)] for _ in range(2))
    rows = range(4)
    one = lambda scores, i: [s[i] for s in scores]

    np.testing.assert_allclose(iqm(x), [trimmed_by_definition(one(x, i)) for i in rows])
    np.testing.assert_allclose(optimality_gap(x), [optimality_gap(one(x, i)) for i in rows])
    improvement = [improvement_by_definition(one(x, i), one(y, i)) for i in rows]
    np.testing.assert_allclose(probability_of_improvement(x, y), improvement)


# Bootstrap


def test_bootstrap_draws_within_each_task():
    scores = [np.array([1.0, 2.0]), np.array([10.0, 20.0, 30.0])]
    seen = []
    bootstrap_interval(lambda drawn: seen.append(drawn) or drawn[0].mean(-1), scores, num=500)

    ((first, second),) = seen
    assert (first.shape, second.shape) == ((500, 2), (500, 3))
    assert {*np.unique(first)} == {1.0, 2.0}
    assert {*np.unique(second)} == {10.0, 20.0, 30.0}
    assert np.mean(first[:, 0] == 1.0) == pytest.approx(0.5, abs=0.1)


def test_bootstrap_interval_by_the_distribution():
    # The mean of two draws from (0, 1) is 0, 1/2, 1 with 1/4, 1/2, 1/4
    mean = lambda scores: scores[0].mean(-1)
    scores = [np.array([0.0, 1.0])]

    assert bootstrap_interval(mean, scores, level=0.6) == (0.0, 1.0)
    assert bootstrap_interval(mean, scores, level=0.4) == (0.5, 0.5)


def test_bootstrap_is_the_same_each_time_and_leaves_the_global_stream_alone():
    state = np.random.get_state()[1].copy()

    first, again = (bootstrap_interval(iqm, A, num=2500, seed=3) for _ in range(2))

    assert first == again
    assert first != bootstrap_interval(iqm, A, num=2500, seed=4)
    np.testing.assert_array_equal(state, np.random.get_state()[1])


def test_bootstrap_counts_its_replications():
    sizes = []
    bootstrap_interval(lambda drawn: sizes.append(len(drawn[0])) or drawn[0].mean(-1), A, num=2345)

    assert sum(sizes) == 2345


# Tests


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


# Power


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


# Mistakes


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: iqm([]), "iqm: no task; expected a list with an array for each"),
        (lambda: iqm([np.array([])]), r"iqm: got \[\] of shape \(0,\); expected the finite"),
        (lambda: iqm([np.array(1.0)]), r"iqm: got 1.0 of shape \(\)"),
        (lambda: optimality_gap([np.array([NAN])]), r"optimality_gap: got \[nan\]"),
        (lambda: probability_of_improvement(A, A[:2]), "3 and 2 tasks; expected the same tasks"),
        (lambda: probability_of_improvement(A, [np.array([np.inf])] * 3), r"got \[inf\]"),
        (lambda: bootstrap_interval(iqm, []), "bootstrap_interval: no task"),
        (lambda: bootstrap_interval(iqm, A, num=0), "num is 0; expected at least 1"),
        (lambda: bootstrap_interval(iqm, A, level=95), "level is 95; expected a number between 0"),
        (lambda: performance_profile([], [0.5]), "bootstrap_interval: no task"),
        (lambda: welch(A[0], []), r"contrast: got \[\]"),
        (lambda: paired(A[0], B[0]), "paired: 5 and 6 values; expected pairs"),
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
