import numpy as np
import pytest
from scipy import stats

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


def test_points_are_those_of_rliable():
    assert iqm(A) == pytest.approx(0.5666666667)
    assert iqm(B) == pytest.approx(0.44)
    assert optimality_gap(A) == pytest.approx(0.44)
    assert optimality_gap(B) == pytest.approx(0.5277777778)
    assert optimality_gap(A, target=0.5) == pytest.approx(0.1066666667)
    assert probability_of_improvement(A, B) == pytest.approx(0.6666666667)


def test_tasks_count_the_same_whatever_their_number_of_seeds():
    few, many = np.array([0.0]), np.array([1.0, 1.0, 1.0])
    assert iqm([few, many]) == pytest.approx(0.5)  # a quarter is one score: 0.25 of each end
    assert optimality_gap([few, many]) == pytest.approx(0.5)

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


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: iqm([]), "iqm: no task; expected a list with an array for each"),
        (lambda: iqm([np.array([])]), r"iqm: got \[\] of shape \(0,\); expected the finite"),
        (lambda: iqm([np.array(1.0)]), r"iqm: got 1.0 of shape \(\)"),
        (lambda: optimality_gap([np.array([NAN])]), r"optimality_gap: got \[nan\]"),
        (lambda: probability_of_improvement(A, A[:2]), "3 and 2 tasks; expected the same tasks"),
        (lambda: probability_of_improvement(A, [np.array([np.inf])] * 3), r"got \[inf\]"),
    ],
)
def test_mistakes(call, message):
    with pytest.raises(ValueError, match=message):
        call()
