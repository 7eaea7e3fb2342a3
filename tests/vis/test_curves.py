import math

import numpy as np
import pytest
from fake_runs import make_run

from lagom.vis import final_table
from lagom.vis.curves import average_seeds, make_curves, smooth_seed, student_t


def averaged(seeds, **options):
    """Grid, mean and half the width of the band, which is symmetric."""
    x, mean, low, high = average_seeds(seeds, **options)
    np.testing.assert_allclose(high - mean, mean - low)
    return x, mean, high - mean


def arrays(*seeds):
    return [(np.array(x, float), np.array(y, float)) for x, y in seeds]


def test_student_t_by_hand():
    # mean 3, deviation 1, n = 4: the table of Student's t gives 3.182 for 3 degrees of freedom
    values = np.array([2.0, 3.0, 3.0, 4.0]) * math.sqrt(1.5)

    mean, half = student_t(values)

    assert mean == pytest.approx(3.0 * math.sqrt(1.5))
    assert half == pytest.approx(3.182446 / 2)


def test_student_t_leaves_missing_values_out():
    nan = np.nan
    mean, half = student_t(np.array([[1.0, 5.0, nan], [3.0, nan, nan]]))

    np.testing.assert_allclose(mean, [2.0, 5.0, nan])
    np.testing.assert_allclose(half, [12.7062047 * math.sqrt(2) / math.sqrt(2), nan, nan])


def test_interval_holds_the_mean_as_often_as_it_says():
    values = np.random.default_rng(0).normal(size=(5, 4000))

    mean, half = student_t(values)

    assert np.mean(np.abs(mean) < half) == pytest.approx(0.95, abs=0.01)


def test_seeds_are_interpolated_on_common_steps():
    x, mean, half = averaged(arrays(([0, 10, 20], [0, 1, 2]), ([0, 5, 20], [1, 3, 6])))

    np.testing.assert_allclose(x, [0, 5, 10, 20])
    np.testing.assert_allclose(mean, [0.5, 1.75, 2.5, 4.0])
    np.testing.assert_allclose(half, 12.7062047 * np.array([0.5, 1.25, 1.5, 2.0]), rtol=1e-6)


def test_seeds_are_never_extrapolated():
    long, short = ([0, 10, 20, 30, 40], [0, 10, 20, 30, 40]), ([0, 10, 20], [2, 12, 22])
    x, mean, half = averaged(arrays(long, long, short))

    np.testing.assert_allclose(x, [0, 10, 20, 30, 40])
    np.testing.assert_allclose(mean, [2 / 3, 10 + 2 / 3, 20 + 2 / 3, 30, 40])
    np.testing.assert_allclose(half[3:], 0, atol=1e-9)

    _, mean, half = averaged(arrays(long, short))  # one seed is no mean of two
    np.testing.assert_allclose(mean, [1, 11, 21, np.nan, np.nan])
    assert np.isfinite(half).tolist() == [True, True, True, False, False]


def test_ends_of_seeds_at_slightly_different_steps_leave_no_hooks():
    seeds = arrays(([10, 20, 30], [0, 0, 0]), ([11, 21, 31], [6, 6, 6]), ([12, 22, 32], [9, 9, 9]))

    x, mean, _ = averaged(seeds)

    np.testing.assert_allclose(x, [12, 20, 21, 22, 30])
    np.testing.assert_allclose(mean, 5.0)


def test_one_seed_is_its_own_mean_without_interval():
    x, mean, half = averaged(arrays(([3, 7], [1, 5])))

    np.testing.assert_array_equal(x, [3, 7])
    np.testing.assert_array_equal(mean, [1, 5])
    assert np.isnan(half).all()


def test_seeds_of_one_point_each_meet_at_their_mean():
    x, mean, half = averaged(arrays(([100], [1]), ([104], [3]), ([], [])))

    np.testing.assert_allclose([x[0], mean[0]], [102, 2])
    assert half[0] == pytest.approx(12.7062047, rel=1e-6)


def test_seeds_that_never_meet_are_still_drawn():
    x, mean, half = averaged(arrays(([0, 10], [1, 2]), ([20, 30], [3, 4])))

    np.testing.assert_allclose(x[np.isfinite(mean)], [0, 10, 20, 30])
    np.testing.assert_allclose(mean, [1, 2, 3, 4])
    assert np.isnan(half).all()


def test_other_bands_by_hand():
    seeds = arrays(([0, 10], [1, 5]), ([0, 10], [2, 5]), ([0, 10, 20], [6, 2, 0]))

    _, mean, half = averaged(seeds, band="sd")
    np.testing.assert_allclose(mean, [3, 4, np.nan])
    np.testing.assert_allclose(half, [math.sqrt((4 + 1 + 9) / 2), math.sqrt(3), np.nan])
    _, mean, low, high = average_seeds(seeds, band="minmax")
    np.testing.assert_allclose([mean, low, high], [[3, 4, np.nan], [1, 2, np.nan], [6, 5, np.nan]])
    _, mean, low, high = average_seeds(seeds, band="none")
    np.testing.assert_allclose(mean, [3, 4, np.nan])
    assert np.isnan([low, high]).all()
    with pytest.raises(ValueError, match="band: got 'ci'; expected one of t, sd, minmax, none"):
        average_seeds(seeds, band="ci")


@pytest.mark.parametrize("band", ["t", "sd", "minmax", "none"])
def test_without_points_there_is_no_band(band):
    assert [len(part) for part in average_seeds(arrays(([], [])), band)] == [0, 0, 0, 0]


def test_points_far_from_a_missing_seed_stay():
    """The slow definition: a point goes if one nearer than an evaluation has more seeds."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        seeds = []
        for _ in range(4):
            x = np.unique(rng.integers(0, 40, rng.integers(2, 8)).astype(float))
            seeds.append((x, rng.normal(size=len(x))))
        if all(len(x) == 1 for x, _ in seeds):
            continue
        grid = sorted({float(v) for x, _ in seeds for v in x})
        n = {g: sum(bool(x[0] <= g <= x[-1]) for x, _ in seeds) for g in grid}
        distance = min(np.median(np.diff(x)) for x, _ in seeds if len(x) > 1)
        expected = [g for g in grid if n[g] == max(n[h] for h in grid if abs(h - g) < distance)]

        assert average_seeds(seeds)[0].tolist() == expected


def test_on_a_clock_ended_seeds_keep_their_last_value():
    """Else the mean would be that of the slow seeds in the end."""
    seeds = arrays(([1, 2], [100, 100]), ([2, 4, 8], [400, 500, 600]), ([], []))

    x, mean, _ = averaged(seeds, ended=[True, True, False])
    np.testing.assert_allclose([x, mean], [[2, 4, 8], [250, 300, 350]])

    x, mean, _ = averaged(seeds, ended=[False, True, True])  # nobody knows what will become of it
    np.testing.assert_allclose([x, mean], [[2], [250]])

    one = arrays(([5], [1]), ([7], [3]))
    x, mean, _ = averaged(one, ended=[True, True])
    np.testing.assert_allclose([x, mean], [[6], [2]])


def test_running_mean_by_definition():
    y = np.random.default_rng(0).normal(size=9)

    for num in (1, 2, 3, 9, 20):
        expected = [y[max(0, i + 1 - num) : i + 1].mean() for i in range(9)]
        np.testing.assert_allclose(smooth_seed(y, num), expected)
    assert smooth_seed(y[:0], 3).shape == (0,)
    np.testing.assert_allclose(smooth_seed(np.array([1e99, 0.0, 1.0, 2.0]), 2)[2:], [0.5, 1.5])


@pytest.mark.parametrize("n", [5, 10, 20])
def test_intervals_of_the_final_table_hold_the_truth(tmp_path, n):
    values = np.random.default_rng(n).normal(3.0, 2.0, size=(1000, n))
    runs = [
        make_run(tmp_path / "x" / str(ID) / str(seed), [(10, float(values[ID, seed]))])
        for ID in range(1000)
        for seed in range(n)
    ]

    table = final_table(runs, group=["ID"])

    held = [abs(end["final"] - 3.0) < end["half"] for end in table]
    assert len(held) == 1000
    assert 0.93 <= np.mean(held) <= 0.97


def test_long_curves_are_thinned():
    x = np.arange(5000.0)

    grid, mean, _ = averaged([(x, 2 * x), (x, 4 * x)])

    assert (len(grid), grid[0], grid[-1]) == (1000, 0, 4999)
    np.testing.assert_allclose(mean, 3 * grid)


def test_rows_in_any_order_with_gaps_and_repetitions(tmp_path):
    nan, inf = math.nan, math.inf
    rows = [(20, 2.0), (10, 1.0), (10, 1.5), (30, nan), (40, None), (50, inf), (60, 1e308)]
    rows += [("x", 1.0), (None, 1.0), (70, "y"), (80, 8.0)]

    (curve,) = make_curves([make_run(tmp_path / "x" / "0" / "1", rows)])

    np.testing.assert_array_equal(curve.x, [10, 20, 80])
    np.testing.assert_array_equal(curve.mean, [1.5, 2.0, 8.0])


def test_evaluations_and_training_returns_are_not_mixed(tmp_path):
    late = make_run(tmp_path / "x" / "0" / "1", [(0, 100.0)], "running", "train")
    both = [make_run(tmp_path / "x" / "0" / "2", [(0, 1.0), (5, 3.0)]), late]

    (curve,) = make_curves(both)
    assert (curve.log, curve.mean.tolist(), len(curve.runs)) == ("eval", [1.0, 3.0], 2)
    (curve,) = make_curves([late])
    assert (curve.log, curve.mean.tolist()) == ("train", [100.0])
    (curve,) = make_curves(both, y="train.return")
    assert (curve.log, curve.mean.tolist()) == ("train", [100.0])


def test_seeds_are_smoothed_before_their_mean(tmp_path):
    rows = [(0, 0.0), (10, 4.0), (20, 8.0)]
    runs = [make_run(tmp_path / "x" / "0" / str(seed), rows) for seed in range(2)]

    (curve,) = make_curves(runs, smooth=2)

    np.testing.assert_allclose(curve.mean, [0, 2, 6])
    np.testing.assert_allclose(curve.seeds[0][1], [0, 2, 6])
    with pytest.raises(ValueError, match="smooth: got 0; expected a number of points, at least 1"):
        make_curves(runs, smooth=0)


def test_clocks_are_told_from_steps(tmp_path):
    slow = make_run(tmp_path / "x" / "0" / "1", [(10, 1.0), (30, 3.0)])
    fast = make_run(tmp_path / "x" / "0" / "2", [(10, 1.0), (20, 5.0)], "diverged")
    for run in (slow, fast):
        run.logs["eval"]["seconds"] = run.logs["eval"]["timestep"]

    (steps,), (clock,) = make_curves([slow, fast]), make_curves([slow, fast], "seconds")

    np.testing.assert_allclose(steps.mean, [1.0, 3.5, np.nan])
    np.testing.assert_allclose(clock.mean, [1.0, 3.5, 4.0])
    assert make_curves([slow], "episode")[0].x.shape == (0,)


def test_other_keys_make_panels(tmp_path):
    runs = [
        make_run(tmp_path / algo / str(ID) / "1", agent__lr=lr, algo__name=algo)
        for algo in ("ppo", "es")
        for ID, lr in enumerate([0.1, 1e-5, 0.02])
    ]

    by_lr, by_algo = make_curves(runs, facet="agent.lr"), make_curves(runs, facet="algo.name")

    assert [(curve.environment, curve.label) for curve in by_lr] == [
        *(("lr=1e-05", "ppo"), ("lr=1e-05", "es")),
        *(("lr=0.02", "ppo"), ("lr=0.02", "es")),
        *(("lr=0.1", "ppo"), ("lr=0.1", "es")),
    ]
    assert [(curve.environment, curve.label) for curve in by_algo] == [
        *(("es", "lr=0.1"), ("es", "lr=1e-05"), ("es", "lr=0.02")),
        *(("ppo", "lr=0.1"), ("ppo", "lr=1e-05"), ("ppo", "lr=0.02")),
    ]


def test_environments_are_never_averaged(tmp_path):
    runs = [make_run(tmp_path / env / "0" / "1", env__id=env) for env in ("A", "B")]

    for words in ({}, {"group": ["algo.name"]}):
        curves = make_curves(runs, facet="algo.name", **words)
        assert [len(curve.runs) for curve in curves] == [1, 1]
        assert all(curve.label.endswith(env) for curve, env in zip(curves, "AB", strict=True))


def test_groups_join_configurations(tmp_path):
    runs = [
        make_run(tmp_path / "x" / str(ID) / "1", agent__lr=lr, agent__clip=clip)
        for ID, (lr, clip) in enumerate([(0.1, 1), (0.1, 2), (0.2, 1)])
    ]

    curves = make_curves(runs, group=["agent.lr"])

    assert [(curve.label, len(curve.runs)) for curve in curves] == [("lr=0.1", 2), ("lr=0.2", 1)]
    assert [end["count"] for end in final_table(runs, group=["agent.lr"])] == ["2 runs", "1 seed"]
    assert [curve.label for curve in make_curves(runs, group=["seed"])] == ["seed=1"]
    assert [curve.label for curve in make_curves(runs, group=["algo.name"])] == ["ppo"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"x": "timesteps"}, "x: no run has 'timesteps'; expected for example 'timestep'"),
        ({"x": "wall"}, "x: no run has 'wall'; expected for example 'seconds'"),
        ({"y": "zzz"}, "y: no run has 'zzz'; expected for example 'return'"),
        ({"group": ["zzz"]}, "group: no run has 'zzz'; expected for example 'algo.name'"),
        ({"y": "retrun"}, "y: no run has 'retrun'; expected for example 'return'"),
        ({"y": "train.retrun"}, "y: no run has 'retrun'; expected for example 'return'"),
        ({"group": ["lr"]}, "group: no run has 'lr'; expected for example 'agent.lr'"),
        ({"facet": "lr"}, "facet: no run has 'lr'; expected for example 'agent.lr'"),
        ({"group": ["algo.nam"]}, "group: no run has 'algo.nam'; .* 'algo.name'"),
    ],
)
def test_unknown_keys_are_refused(tmp_path, words, message):
    with pytest.raises(ValueError, match=message):
        make_curves([make_run(tmp_path / "x" / "0" / "1")], **words)


def test_final_table_by_hand(tmp_path):
    # 20 evaluations: the last 10 % are two
    rows = [(10 * i, float(i)) for i in range(1, 21)]
    other = [(x, y + 4) for x, y in rows[:-1]] + [(200, 0.0)]
    folder = tmp_path / "x" / "0"
    runs = [make_run(folder / "1", rows), make_run(folder / "2", other, "stopped")]

    (end,) = final_table(runs)

    assert (end["environment"], end["label"], end["log"]) == ("CartPole-v1", "ppo", "eval")
    assert (end["done"], end["total"], end["count"]) == (1, 2, "1/2 seeds, 1 stopped")
    assert end["final"] == pytest.approx((19.5 + 11.5) / 2)
    assert end["half"] == pytest.approx(12.7062047 * 4)  # deviation of (19.5, 11.5) / sqrt(2)
    assert (end["best"], end["best_at"], end["steps"]) == (21.0, 190.0, 200.0)


def test_final_table_of_little(tmp_path):
    one, none = (
        make_run(tmp_path / "x" / "0" / "1", [(5, 3.0)]),
        make_run(tmp_path / "y" / "0" / "1", (), "waiting", env__id="Z"),
    )

    one, none = final_table([one, none])

    assert (one["final"], one["best"], one["best_at"], one["steps"]) == (3.0, 3.0, 5.0, 5.0)
    assert math.isnan(one["half"])
    assert all(math.isnan(none[key]) for key in ("final", "half", "best", "best_at", "steps"))
    assert (none["done"], none["total"], none["count"]) == (0, 1, "1 seed, waiting")
