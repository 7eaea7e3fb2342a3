import numpy as np
import pytest
from matplotlib.colors import to_hex

from lagom.vis.aggregate import describe, iqm_curve, make_aggregate, measure
from lagom.vis.aggregate_figure import plot_aggregate
from lagom.vis.curves import make_curves
from lagom.vis.plot import figure_bytes
from lagom.vis.runs import Run

REFERENCES = {"A": (0.0, 10.0), "B": (-100.0, 0.0), "C": (10.0, 0.0)}


def make_run(path, algo, env, seed, rows, status="done"):
    """``rows`` are (timestep, return), or the last return."""
    rows = [(0, 0.0), (100, float(rows))] if isinstance(rows, int | float) else rows
    columns = {"timestep": [x for x, _ in rows], "return": [y for _, y in rows]}
    config = {"env.id": env, "algo.name": algo}
    logs = {"eval": columns} if rows else {}
    return Run(path / f"{algo}-{env}" / "0" / str(seed), "x", 0, seed, status, config, logs)


def suite(path, algos=("ppo", "es"), envs="ABC", num_seed=2):
    """Normalized, ppo ends at (0, 0.1, ...) in A, 0.2 more in B, 0.4 more in C; es 0.5 above."""
    runs = []
    for a, algo in enumerate(algos):
        for e, env in enumerate(envs):
            low, high = REFERENCES.get(env, (0, 1))
            for seed in range(num_seed):
                score = 0.5 * a + 0.2 * e + 0.1 * seed
                rows = [(0, float(low)), (100, low + score * (high - low))]
                runs.append(make_run(path, algo, env, seed, rows))
    return runs


def aggregate_of(runs, references=REFERENCES):
    return make_aggregate(make_curves(runs), references)


def legend(figure):
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    return texts, " ".join(figure.legends[0].get_title().get_text().split())


# Numbers


def test_scores_by_hand(tmp_path):
    # of 20 rows the last two count: 17 and 19 of 10 to reach, downwards in C
    rows = [(i, 0.0) for i in range(18)] + [(18, 17.0), (19, 19.0)]
    runs = [make_run(tmp_path, "ppo", env, 0, rows) for env in "ABC"]

    found = aggregate_of(runs)

    (method,) = found.methods
    assert found.environments == ["A", "B", "C"]
    assert [final.tolist() for final in method.finals] == [[18], [18], [18]]
    np.testing.assert_allclose(np.concatenate(method.scores), [1.8, 1.18, -0.8])
    np.testing.assert_allclose(method.seeds[1][0][1][-2:], [1.17, 1.19])


def test_metrics_by_hand(tmp_path):
    # ppo: A (0, 0.1), B (0.2, 0.3), C (0.4, 0.5); es the same plus 0.5; means 0.05, 0.25, 0.45
    rows = measure(aggregate_of(suite(tmp_path)), num=2000)

    points = {name: [row[0] for row in values] for name, values in rows.items()}
    assert points["IQM"] == pytest.approx([0.25, 0.75])  # 6 scores without one at either end
    assert points["mean"] == pytest.approx([0.25, 0.75])
    assert points["median"] == pytest.approx([0.25, 0.75])
    assert points["optimality gap"] == pytest.approx([0.75, 0.25])
    assert np.isnan(rows["P(improvement)"][0]).all()
    assert rows["P(improvement)"][1] == (1, 1, 1)
    for name in ("IQM", "mean", "median", "optimality gap"):
        for point, low, high in rows[name]:
            assert 0.02 < high - low < 0.2
            assert low < point < high


def test_metrics_that_differ(tmp_path):
    ends = {"A": [0, 1], "B": [-100, -60], "C": [10, -90]}  # 0, 0.1; 0, 0.4; 0, 10
    runs = [make_run(tmp_path, "a", env, i, y) for env in "ABC" for i, y in enumerate(ends[env])]
    runs += [make_run(tmp_path, "b", env, 0, y) for env, y in zip("ABC", [1, -100, 5], strict=True)]

    rows = measure(aggregate_of(runs), num=100)

    a, b = ([rows[name][i][0] for name in rows] for i in (0, 1))
    assert a[:4] == pytest.approx([0.5 / 4, 10.5 / 6, 0.2, 1 - (0.05 + 0.2 + 0.5) / 3])
    # b against a: in A 0.1 beats 0 and ties 0.1, in B 0 ties and loses, in C 0.5 beats and loses
    assert b[4] == pytest.approx((0.75 + 0.25 + 0.5) / 3)


def test_measures_are_the_same_each_time(tmp_path):
    state = np.random.get_state()[1].tolist()
    found = aggregate_of(suite(tmp_path, num_seed=4))

    first, second = (measure(found, num=50) for _ in range(2))

    assert first["IQM"] == second["IQM"]
    assert first["IQM"] != measure(found, num=51)["IQM"]
    assert np.random.get_state()[1].tolist() == state


# What is left out


def test_environments_without_reference_scores_are_named(tmp_path):
    found = aggregate_of(suite(tmp_path, envs="AXBCY"))

    assert found.environments == ["A", "B", "C"]
    remedy = "add them with --scores FILE (env,low,high)"
    assert found.notes == [f"left out, no reference scores: X, Y; {remedy}"]


def test_configurations_with_few_environments_are_named(tmp_path):
    runs = suite(tmp_path) + suite(tmp_path, ["sac"], "AB") + suite(tmp_path, ["dqn"], "AX")

    found = aggregate_of(runs, REFERENCES | {"X": (0, 1)})

    assert [method.label for method in found.methods] == ["ppo", "es"]
    assert found.notes == [
        "left out, fewer than 3 environments: sac, dqn",
        "left out, not run by all: X",
    ]


def test_environments_that_one_lacks_are_named(tmp_path):
    runs = suite(tmp_path, envs="ABCD") + suite(tmp_path, ["sac"], "ABC")
    runs.append(make_run(tmp_path, "sac", "D", 0, [], "waiting"))

    found = aggregate_of(runs, REFERENCES | {"D": (0, 1)})

    assert found.environments == ["A", "B", "C"]
    assert len(found.methods) == 3
    assert found.notes == ["left out, not run by all: D"]


@pytest.mark.parametrize(
    ("envs", "message"),
    [
        ("AB", "that all configurations have: A, B; expected 3 or more, means over fewer"),
        ("AXY", "have: A; expected .*; left out, no reference scores: X, Y; add them with"),
        ("X", "have: none; expected 3 or more"),
    ],
)
def test_fewer_than_three_environments_are_refused(tmp_path, envs, message):
    with pytest.raises(ValueError, match=f"^--aggregate: environments with .*{message}"):
        aggregate_of(suite(tmp_path, envs=envs))


def test_configurations_without_common_environments_are_refused(tmp_path):
    references = dict.fromkeys("ABCDE", (0, 1))
    runs = suite(tmp_path, ["ppo"], "ABC") + suite(tmp_path, ["es"], "CDE")

    with pytest.raises(ValueError, match="have: C; expected .*; left out, not run by all: A, B, D"):
        aggregate_of(runs, references)
    with pytest.raises(ValueError, match="have: none"):
        aggregate_of([])


def test_configurations_that_differ_in_each_environment_are_refused(tmp_path):
    runs = [run for k in "ABC" for run in suite(tmp_path, [f"ppo{k}"], k)]

    with pytest.raises(ValueError, match="no configuration was run on 3 of A, B, C; .*--group"):
        aggregate_of(runs)


def test_broken_running_and_missing_seeds_are_counted(tmp_path):
    runs = [*suite(tmp_path, ["ppo"], num_seed=5)]
    runs += [
        make_run(tmp_path, "ppo", "A", 5, [(0, 0.0), (50, 8.0)], "diverged"),
        make_run(tmp_path, "ppo", "B", 5, 0, "failed"),
        make_run(tmp_path, "ppo", "B", 6, -10, "running"),
        make_run(tmp_path, "ppo", "C", 5, [], "waiting"),
    ]

    found = aggregate_of(runs)

    assert found.methods[0].scores[0].tolist()[-1] == pytest.approx(0.8)
    assert describe(found) == [
        "3 environments (A, B, C), 5 to 7 seeds in each; 95 % intervals by stratified "
        "bootstrap, widened for few seeds (expanded percentiles).",
        "2 of 19 runs failed or diverged and count with their last score.",
        "1 of 19 runs are still running and count with their last score.",
        "1 of 19 runs have no score and are left out.",
    ]


def test_few_seeds_are_warned_of(tmp_path):
    warning = "With fewer than 5 seeds in an environment these intervals may be too narrow"
    assert describe(aggregate_of(suite(tmp_path, num_seed=4)))[1].startswith(warning)
    assert len(describe(aggregate_of(suite(tmp_path, num_seed=5)))) == 1


# Curves


def test_iqm_curve_by_hand(tmp_path):
    # six seeds that rise from 0 at their own speed: at 100, 0.0 to 0.5; one is evaluated at 50
    runs = suite(tmp_path, ["ppo"])
    runs[0] = make_run(tmp_path, "ppo", "A", 0, [(0, 0.0), (50, 4.0), (100, 0.0)])

    (method,) = aggregate_of(runs).methods
    x, middle, low, high = iqm_curve(method)

    assert x.tolist() == [0, 50, 100]
    # at 50: 0.4 and 0.05, 0.1, 0.15, 0.2, 0.25; without the highest and the lowest
    assert middle == pytest.approx([0, (0.1 + 0.15 + 0.2 + 0.25) / 4, 0.25])
    assert low[0] == high[0] == 0
    assert (low < middle).tolist() == [False, True, True]
    assert (middle < high).tolist() == [False, True, True]


def test_iqm_curve_ends_where_the_first_seed_does(tmp_path):
    runs = suite(tmp_path, ["ppo"])
    runs[0] = make_run(tmp_path, "ppo", "A", 0, [(10, 0.0), (50, 0.0), (60, 0.0)], "running")
    runs[1] = make_run(tmp_path, "ppo", "A", 1, [(0, 0.0), (20, 5.0)], "diverged")

    (method,) = aggregate_of(runs).methods
    x, middle, *_ = iqm_curve(method)

    assert x.tolist() == [10, 20, 50, 60]
    # the diverged seed keeps 0.5: at 60, 0 and 0.5, and 0.6 of 0.2, 0.3, 0.4, 0.5
    assert middle[-1] == pytest.approx((0.12 + 0.18 + 0.24 + 0.3) / 4)


def test_iqm_curves_of_little(tmp_path):
    def curve(*starts, status="done"):
        rows = zip("ABC", starts, strict=True)
        runs = [make_run(tmp_path, "a", env, 0, [(x, 5.0)], status) for env, x in rows]
        return iqm_curve(aggregate_of(runs).methods[0])

    assert curve(7, 7, 7)[0].tolist() == [7]
    assert curve(7, 8, 9)[0].tolist() == []
    assert curve(7, 8, 9, status="failed")[0].tolist() == [9]
    assert [len(part) for part in curve(7, 8, 9)] == [0] * 4


def test_many_steps_are_thinned(tmp_path):
    rows = [(x, float(x)) for x in range(200)]
    runs = [make_run(tmp_path, "a", env, 0, rows) for env in "ABC"]

    x, *_ = iqm_curve(aggregate_of(runs).methods[0], num=2)

    assert (len(x), x[0], x[-1]) == (50, 0, 199)


# Figure


@pytest.fixture
def figure(tmp_path):
    found = aggregate_of(suite(tmp_path))
    return plot_aggregate(found, measure(found, num=200), title="a suite")


def test_figure_of_two_configurations(figure):
    assert figure.get_suptitle() == "a suite"
    assert [ax.get_title() for ax in figure.axes] == [
        *("IQM", "mean", "median", "optimality gap (less is better)"),
        *("share of runs with a score above τ", "P(improvement over ppo)"),
        "IQM of normalized scores",
    ]
    names, notes = legend(figure)
    assert names == ["ppo", "es"]
    assert notes.startswith("3 environments (A, B, C), 2 seeds in each; 95 % intervals by")
    assert "these intervals may be too narrow" in notes
    labels = [[tick.get_text() for tick in ax.get_yticklabels()] for ax in figure.axes[:4]]
    assert labels == [["ppo", "es"], [], [], []]


def test_bars_are_intervals(tmp_path):
    rows = {name: [(0.5, 0.25, 0.75), (1.0, 0.875, 1.25)] for name in ("IQM", "mean", "median")}
    rows |= {"optimality gap": [(0.5, 0.5, 0.5), (0.5, 0.5, 0.5)]}
    rows |= {"P(improvement)": [(np.nan,) * 3, (0.625, 0.5, 0.75)]}

    figure = plot_aggregate(aggregate_of(suite(tmp_path)), rows)

    bars = [(bar.get_x(), bar.get_width(), bar.get_y()) for bar in figure.axes[0].patches]
    assert bars == [(0.25, 0.5, -0.3), (0.875, 0.375, 0.7)]
    lines = [part.get_segments()[0][0].tolist() for part in figure.axes[0].collections]
    assert lines == [[0.5, -0.3], [1.0, 0.7]]
    assert [to_hex(bar.get_facecolor()) for bar in figure.axes[0].patches] == ["#0072b2", "#d55e00"]
    assert figure.axes[0].get_ylim()[0] > figure.axes[0].get_ylim()[1]  # the first on top
    low, high = figure.axes[3].get_xlim()
    assert high - low == pytest.approx(0.1)  # a width of zero is not blown up
    improvement = figure.axes[5]
    (bar,) = improvement.patches
    assert (bar.get_x(), bar.get_width(), to_hex(bar.get_facecolor())) == (0.5, 0.25, "#d55e00")
    assert improvement.lines[0].get_xdata() == [0.5, 0.5]
    assert [tick.get_text() for tick in improvement.get_yticklabels()] == ["es"]


def test_profiles_are_shares_of_runs(figure):
    ppo, es = figure.axes[4].lines

    tau, share = ppo.get_xdata(), ppo.get_ydata()
    assert (tau[0], tau[-1], len(tau)) == (0, 1, 101)
    # ppo's runs end at 0, 0.1, ... 0.5: 5 of 6 lie above 0 and 0.05, 2 of 6 above 0.35
    assert share[[0, 5, 35, 55]] == pytest.approx([5 / 6, 5 / 6, 2 / 6, 0])
    assert es.get_ydata()[[0, 45, 95]] == pytest.approx([1, 1, 1 / 6])


def test_curves_of_the_figure(figure):
    ax = figure.axes[6]

    assert ax.get_xlabel() == "environment steps"
    ends = [line.get_xydata()[-1].tolist() for line in ax.lines]
    assert ends == [pytest.approx([100, 0.25]), pytest.approx([100, 0.75])]
    assert len(ax.collections) == 2


def test_one_configuration_is_compared_with_none(tmp_path):
    runs = [make_run(tmp_path, "ppo", env, 0, [(7, 5.0)]) for env in "ABC"]
    found = aggregate_of(runs)

    figure = plot_aggregate(found, measure(found, num=20))

    assert len(figure.axes) == 6
    assert len(figure.axes[-1].containers) == 1  # a point with an error bar


def test_long_names_stand_in_the_legend_only(tmp_path):
    found = aggregate_of(suite(tmp_path, ["ppo", "lr=0.001 hidden_sizes=[64,64]"]))

    figure = plot_aggregate(found, measure(found, num=20))

    assert [len(ax.get_yticklabels()) for ax in (figure.axes[0], figure.axes[5])] == [0, 0]
    assert figure.axes[5].get_title() == "P(improvement over the first)"
    assert legend(figure)[0] == ["ppo", "lr=0.001 hidden_sizes=[64,64]"]
    assert len(figure_bytes(figure, ".png")) > 5000  # and the layout is found


def test_of_many_configurations_the_highest_are_drawn(tmp_path):
    found = aggregate_of(suite(tmp_path, [f"a{i}" for i in range(9)]))

    figure = plot_aggregate(found, measure(found, num=20))

    names, notes = legend(figure)
    assert names == ["a0", "a3", "a4", "a5", "a6", "a7", "a8"]
    assert "7 of 9 configurations: the first and the highest IQM." in notes


@pytest.mark.parametrize(
    "value", ["_x", "$\\bad$", "x_$^$", "😀 漢", "x" * 500, "a\nb", "\x1b[31m"]
)
def test_any_name_can_be_drawn(tmp_path, value):
    references = {f"{value}{i}": (0, 1) for i in range(3)}
    runs = [
        make_run(tmp_path / str(i) / algo[0], algo, env, 0, 1)
        for i, env in enumerate(references)
        for algo in (value, "b")
    ]
    found = aggregate_of(runs, references)

    figure = plot_aggregate(found, measure(found, num=20), title=value)

    assert len(figure_bytes(figure, ".png")) > 5000
    assert not any(c in legend(figure)[1] for c in "\n\x1b")


def test_dark_figures_have_light_lines(tmp_path):
    found = aggregate_of(suite(tmp_path))
    rows = measure(found, num=20)

    figure = plot_aggregate(found, rows, style="dark")

    assert to_hex(figure.get_facecolor()) == "#15171c"
    assert to_hex(figure.axes[0].collections[0].get_color()) == "#e8e8e8"
    with pytest.raises(ValueError, match="style: got 'grey'; expected one of paper, talk, dark"):
        plot_aggregate(found, rows, style="grey")
