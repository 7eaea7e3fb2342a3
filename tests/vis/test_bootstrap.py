import numpy as np
import pytest
from scipy import stats

from lagom.vis.bootstrap import bootstrap_interval, expanded_interval, performance_profile
from lagom.vis.statistics import iqm, optimality_gap, probability_of_improvement

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
    share, low, high = performance_profile(
        A, [0.0, 0.25, 0.5, 0.75, 1.0], num=20_000, interval=bootstrap_interval
    )

    np.testing.assert_allclose(share, [14 / 15, 0.8, 7 / 15, 1 / 3, 0.2])  # above, not at
    np.testing.assert_allclose(low, [0.8, 2 / 3, 1 / 3, 0.2, 1 / 15], atol=0.001)
    np.testing.assert_allclose(high, [1.0, 14 / 15, 0.6, 7 / 15, 1 / 3], atol=0.001)


def test_profiles_of_tasks_with_few_and_many_seeds():
    few, many = np.array([0.0]), np.array([1.0, 1.0, 1.0])
    assert performance_profile([few, many], [0.5], num=10)[0] == pytest.approx([0.5])


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


# Expanded


def mean(scores):
    return sum(s.mean(-1) for s in scores) / len(scores)


def test_expanded_interval_of_one_task_by_hand():
    # of 5 seeds: the quantile of Student's t with 4 degrees of freedom, times sqrt(5 / 4)
    tail = stats.norm.cdf(-stats.t.ppf(0.975, 4) * np.sqrt(5 / 4))

    expected = bootstrap_interval(iqm, A[:1], level=1 - 2 * tail)
    assert expanded_interval(iqm, A[:1]) == pytest.approx(expected)


def test_expanded_interval_of_tasks_that_vary_differently_by_hand():
    x, y = np.array([0.0, 1.0, 5.0]), np.array([0.0, 0.0, 3.0, 7.0, 5.0])
    v, w = 7 / 3, 38 / 4 / 5  # variances of both means
    missing = np.sqrt((v + w) / (v * 2 / 3 + w * 4 / 5))
    freedom = (v + w) ** 2 / (v**2 / 2 + w**2 / 4)
    tail = stats.norm.cdf(-missing * stats.t.ppf(0.8, freedom))

    expected = bootstrap_interval(mean, [x, y], level=1 - 2 * tail)
    assert expanded_interval(mean, [x, y], level=0.6) == pytest.approx(expected)
    assert expected != bootstrap_interval(mean, [x, y], level=0.6)


def test_single_seeds_do_not_count_for_the_width():
    expected = expanded_interval(lambda scores: scores[0].mean(-1), A[:1])
    with_single = [A[0], np.array([7.0])]
    low, high = expanded_interval(lambda scores: scores[0].mean(-1), with_single)
    assert (low, high) == pytest.approx(expected, abs=0.01)
    assert expanded_interval(mean, [np.ones(1), np.ones(4)]) == (1.0, 1.0)


def test_two_seeds_give_all_that_was_drawn():
    low, high = expanded_interval(mean, [np.array([0.0, 1.0])], num=500)
    assert (low, high) == (0.0, 1.0)


@pytest.mark.parametrize("statistic", [mean, iqm])
def test_expanded_intervals_hold_the_truth(statistic):
    rng, num = np.random.default_rng(0), 300
    hits = 0
    for _ in range(num):
        low, high = expanded_interval(statistic, [*rng.normal(0.5, 0.2, (5, 5))], num=1000)
        hits += low <= 0.5 <= high

    # 0.95 ± 0.025 at 95 %; the plain interval holds it in 0.90 to 0.92
    assert hits / num > 0.93


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bootstrap_interval(iqm, []), "bootstrap_interval: no task"),
        (lambda: bootstrap_interval(iqm, A, num=0), "num is 0; expected at least 1"),
        (lambda: bootstrap_interval(iqm, A, level=95), "level is 95; expected a number between 0"),
        (lambda: expanded_interval(iqm, A, num=0), "expanded_interval: num is 0"),
        (lambda: expanded_interval(iqm, A, level=0), "expanded_interval: level is 0; expected"),
        (lambda: expanded_interval(iqm, []), "expanded_interval: no task"),
        (lambda: performance_profile([], [0.5]), "expanded_interval: no task"),
    ],
)
def test_mistakes(call, message):
    with pytest.raises(ValueError, match=message):
        call()
