"""Behaviours that must hold, by their ids: lagom.transform."""

import numpy as np
import pytest

from lagom.transform import (
    LinearSchedule,
    MinTree,
    PolyakAverage,
    RunningMeanVar,
    SegmentTree,
    SumTree,
    describe,
    explained_variance,
    geometric_cumsum,
    interp_curves,
    rank_transform,
    smooth_filter,
)

REFUSED = (AssertionError, ValueError, TypeError, KeyError)
X1, Y1 = [4, 5, 7, 13, 20], [0.25, 0.22, 0.53, 0.37, 0.55]
X2, Y2 = [2, 4, 6, 7, 9, 11, 15], [0.03, 0.12, 0.4, 0.2, 0.18, 0.32, 0.39]


def running_moments():
    f = RunningMeanVar(shape=())
    for x in ([1, 2], [3], [4]):
        f(x)
    return f


def sum_tree():
    tree = SumTree(4)
    tree[2], tree[3] = 1, 3
    return tree


def test_TRA_01_one_row():
    y = geometric_cumsum(0.1, [1, 2, 3, 4])

    np.testing.assert_allclose(y, [[1.234, 2.34, 3.4, 4.0]], rtol=1e-6)
    assert y.shape == (1, 4)


def test_TRA_02_rows_are_independent():
    y = geometric_cumsum(0.1, [[1, 2, 3, 4], [5, 6, 7, 8]])

    np.testing.assert_allclose(y, [[1.234, 2.34, 3.4, 4], [5.678, 6.78, 7.8, 8]], rtol=1e-6)


def test_TRA_04_explained_variance():
    score = explained_variance([3, -0.5, 2, 7], [2.5, 0.0, 2, 8])

    assert score == pytest.approx(0.9571734475374732, rel=0, abs=1e-9)


def test_TRA_05_leading_axis_of_size_1():
    score = explained_variance([[3, -0.5, 2, 7]], [[2.5, 0.0, 2, 8]])

    assert score == pytest.approx(0.9571734475374732, rel=0, abs=1e-9)


def test_TRA_06_two_outputs():
    score = explained_variance([[0.5, 1], [-1, 1], [7, -6]], [[0, 2], [-1, 2], [8, -5]])

    assert score == pytest.approx(0.9838709677419355, rel=0, abs=1e-9)


def test_TRA_07_two_outputs_one_of_them_bad():
    score = explained_variance([[0.5, 1], [-1, 10], [7, -6]], [[0, 2], [-1, 0.00005], [8, -5]])

    assert score == pytest.approx(0.6704023148857179, rel=0, abs=1e-9)


def test_TRA_08_constant_offset():
    assert explained_variance([1, 2, 3], [11, 12, 13]) == pytest.approx(1.0, rel=0, abs=1e-12)


def test_TRA_10_constant_truth():
    assert explained_variance([2, 2, 2], [2, 2, 2]) == pytest.approx(1.0, rel=0, abs=1e-12)
    assert explained_variance([2, 2, 2], [1, 2, 3]) == pytest.approx(0.0, rel=0, abs=1e-12)


def test_TRA_11_linear_schedule():
    schedule = LinearSchedule(initial=1.0, final=0.1, N=3, start=0)

    assert [schedule(i) for i in range(6)] == [1.0, 0.7, 0.4, 0.1, 0.1, 0.1]


def test_TRA_13_schedules_that_cannot_be():
    for N, start in ((0, 0), (-1, 0), (10, -1)):
        with pytest.raises(REFUSED):
            LinearSchedule(1, 0.1, N, start)
    with pytest.raises(REFUSED):
        LinearSchedule(1, 0.1, 10, 0)(-1)


def test_TRA_15_numpy_timestep():
    assert LinearSchedule(1.0, 0.1, 3)(np.int64(1)) == pytest.approx(0.7, rel=0, abs=1e-12)


def test_TRA_16_ranks():
    centered = rank_transform([3, 14, 1], centered=True)
    plain = rank_transform([3, 14, 1], centered=False)

    np.testing.assert_allclose(centered, [0.0, 0.5, -0.5], rtol=0, atol=1e-12)
    np.testing.assert_allclose(plain, [1, 2, 0], rtol=0, atol=1e-12)


def test_TRA_18_ranks_of_what_is_no_vector():
    for x in (3, [[1, 2, 3]]):
        with pytest.raises(REFUSED):
            rank_transform(x)


def test_TRA_20_polyak_average():
    f = PolyakAverage(alpha=0.1)

    assert [f(0.5), f(1.5), f.get_current()] == pytest.approx([0.5, 1.4, 1.4], rel=0, abs=1e-6)


def test_TRA_22_polyak_average_of_a_step():
    f = PolyakAverage(alpha=0.9)

    assert [f(x) for x in (0, 10, 10, 10)] == pytest.approx([0, 1.0, 1.9, 2.71], rel=0, abs=1e-5)


def test_TRA_24_running_moments():
    f = running_moments()

    assert f.mean == pytest.approx(2.499937501562461, rel=1e-12, abs=0)
    assert f.var == pytest.approx(1.2501499923440393, rel=1e-12, abs=0)


def test_TRA_25_number_of_samples():
    f = running_moments()

    assert f.n == 4
    assert f.mean.dtype == np.float64
    assert f.var.dtype == np.float64


def test_TRA_27_running_moments_of_chunks():
    x = np.random.default_rng(0).normal(size=1000)
    f = RunningMeanVar(shape=())
    for chunk in np.split(x, [1, 7, 50, 180, 500, 901]):
        f(chunk)

    assert f.mean == pytest.approx(x.mean(), rel=0, abs=1e-3)
    assert f.var == pytest.approx(x.var(), rel=0, abs=1e-3)
    assert f.n == 1000


def test_TRA_29_state_of_running_moments():
    f, g = running_moments(), RunningMeanVar(shape=())
    g.load_state_dict(f.state_dict())
    for moments in (f, g):
        moments([5.0, 7.5, -1.0])

    assert (f.mean, f.var, f.n) == (g.mean, g.var, g.n)


def test_TRA_31_curves_at_all_points():
    xs, ys = interp_curves([X1, X2], [Y1, Y2])

    np.testing.assert_array_equal(xs[0], [2, 4, 5, 6, 7, 9, 11, 13, 15, 20])
    expected = [
        *(0.25, 0.25, 0.22, 0.375, 0.53),
        *(0.4766666667, 0.4233333333, 0.37, 0.4214285714, 0.55),
    ]
    np.testing.assert_allclose(ys[0], expected, rtol=0, atol=1e-9)


def test_TRA_33_curves_at_even_points():
    xs, ys = interp_curves([X1, X2], [Y1, Y2], num_point=100)

    np.testing.assert_allclose(xs[0], [2 + 18 * i / 99 for i in range(100)], rtol=0, atol=1e-9)
    assert xs[0][50] == pytest.approx(11.0909090909, rel=0, abs=1e-9)
    assert ys[0][50] == pytest.approx(0.4209090909, rel=0, abs=1e-9)
    assert ys[1][50] == pytest.approx(0.3215909091, rel=0, abs=1e-9)


def test_TRA_34_smooth_filter_keeps_a_cubic():
    x = np.arange(11.0)
    y = x**3 - 2 * x

    assert np.abs(smooth_filter(y, window_length=5, polyorder=3) - y).max() <= 1e-9


def test_TRA_36_smooth_filter_wants_one_curve():
    with pytest.raises(REFUSED):
        smooth_filter([[1, 2, 3]], window_length=3, polyorder=2)


def test_TRA_37_smooth_filter_keeps_the_shape():
    x = np.linspace(0, 4 * 2 * np.pi, num=100)
    y = x * (np.sin(x) + np.random.default_rng(0).random(100) * 4)

    assert smooth_filter(y, window_length=31, polyorder=10).shape == (100,)


def test_TRA_38_sums():
    tree = sum_tree()

    sums = [tree.sum(*r) for r in ((), (0, 2), (0, 3), (2, 3), (2, -1), (2, 4))]
    assert sums == pytest.approx([4, 0, 1, 1, 1, 4], rel=0, abs=1e-12)


def test_TRA_40_find_prefixsum_index():
    tree = sum_tree()

    assert [tree.find_prefixsum_index(p) for p in (0, 0.5, 0.99, 1.01, 3.0, 4.0)] == [
        *(2, 2, 2),
        *(3, 3, 3),
    ]


def test_TRA_42_boundaries_go_right():
    tree = SumTree(4)
    for i, priority in enumerate([0.5, 1, 1, 3]):
        tree[i] = priority

    assert [tree.find_prefixsum_index(p) for p in (0.5, 1.5, 2.5)] == [1, 2, 3]


def test_TRA_44_never_a_leaf_of_priority_0():
    tree = SumTree(4)
    tree[0] = 1

    assert tree.find_prefixsum_index(1.0) == 0


def test_TRA_46_capacities_that_are_no_power_of_two():
    for capacity in (3, 0):
        for make in (SumTree, MinTree, lambda n: SegmentTree(n, lambda a, b: a + b, 0)):
            with pytest.raises(REFUSED):
                make(capacity)


def test_TRA_48_minima():
    tree = MinTree(4)
    tree[0], tree[2], tree[3] = 1, 0.5, 3

    minima = [tree.min(*r) for r in ((), (0, 2), (0, 3), (0, -1), (2, 4), (3, 4))]
    assert minima == [0.5, 1, 0.5, 0.5, 0.5, 3]


def test_TRA_50_minimum_of_nothing():
    assert MinTree(4).min() == float("inf")


def test_TRA_51_describe():
    d = describe([1, 2, 3, 4])

    assert [d.count, d.mean, d.std, d.min, d.max] == pytest.approx(
        [4, 2.5, 1.118033988749895, 1, 4], rel=0, abs=1e-12
    )


def test_TRA_52_describe_nothing():
    assert describe(None) is None
    assert describe([]) is None


def test_TRA_53_describe_in_words():
    d = describe([1, 2, 3, 4], repr_indent=1, repr_prefix="\n")

    assert repr(d) == "\n\tcount: 4\n\tmean: 2.5\n\tstd: 1.118033988749895\n\tmin: 1\n\tmax: 4"


def test_TRA_55_describe_along_an_axis():
    d = describe([[1, 2, 3], [4, 5, 6]], axis=0)

    np.testing.assert_allclose(d.mean, [2.5, 3.5, 4.5], rtol=0, atol=1e-9)
    assert d.count == 2
