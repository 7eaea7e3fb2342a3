import math

import numpy as np
import pytest
from matplotlib.colors import to_hex

from lagom.vis.curves import make_curves
from lagom.vis.plot import figure_bytes
from lagom.vis.runs import Run
from lagom.vis.sweep_figure import plot_sweep
from lagom.vis.sweeps import best_rows, describe, make_sweep

BEST, OTHER = "#d55e00", "#0072b2"


def make_run(path, ID, seed, score, status="done", env="A", algo="ppo", **config):
    config = {"ID": ID, "env.id": env, "algo.name": algo, "device": f"cpu:{ID}", **config}
    rows = [] if score is None else [0.0] * 9 + [float(score)]
    logs = {"eval": {"timestep": [*range(len(rows))], "return": rows}} if rows else {}
    return Run(path / str(ID) / str(seed), "x", ID, seed, status, config, logs)


def sweep_of(runs):
    return make_sweep(make_curves(runs))


def grid(path, num=10, num_seed=2, **more):
    """``score = -(lr's exponent + 3)^2`` plus or minus 0.1; ``idle`` does nothing."""
    runs = []
    for ID in range(num):
        config = {"agent.lr": 10.0 ** (-5 + ID // 2), "agent.idle": ID % 2, **more}
        for seed in range(num_seed):
            score = -((ID // 2 - 2) ** 2) + 0.2 * seed - 0.1
            runs.append(make_run(path, ID, seed, score, **config))
    return runs


@pytest.fixture
def sweep(tmp_path):
    return sweep_of(grid(tmp_path))


def texts(ax):
    return [text.get_text() for text in ax.texts]


def points(ax, marker, color=None):
    """Places of the markers in a panel."""
    lines = [line for line in ax.lines if line.get_marker() == marker]
    if color:
        lines = [line for line in lines if to_hex(line.get_color()) == color]
    return sorted((float(x), float(y)) for line in lines for x, y in line.get_xydata())


# Numbers


def test_scores_by_hand(tmp_path):
    # 20 rows: the last 10 % are two, of mean 18.5
    config = {"ID": 0, "env.id": "A", "algo.name": "ppo"}
    columns = {"timestep": [*range(20)], "return": [float(i) for i in range(20)]}
    first = Run(tmp_path / "0" / "1", "x", 0, 1, "done", config, {"eval": columns})

    one, two = sweep_of([first, make_run(tmp_path, 1, 1, 3, lr=1)]).trials

    assert (one.ID, one.scores.tolist(), one.mean) == (0, [18.5], 18.5)
    assert math.isnan(one.half)
    assert two.mean == 3


def test_means_and_intervals(tmp_path):
    runs = [make_run(tmp_path, ID, seed, 10 * ID + seed, lr=ID) for ID in (0, 1) for seed in (1, 3)]

    trials = sweep_of(runs).trials

    assert [trial.mean for trial in trials] == [2, 12]
    assert trials[1].half == pytest.approx(12.7062047)  # deviation sqrt(2), two seeds


def test_keys_are_ordered_by_importance(sweep):
    assert [key.name for key in sweep.keys] == ["agent.lr", "agent.idle"]
    assert [key.kind for key in sweep.keys] == ["log", "linear"]
    assert sweep.shares[0] > 0.8 > 0.1 > sweep.shares[1]
    assert pytest.approx(sweep.shares.sum()) == sweep.R2


def test_without_use_the_fit_orders_nothing(tmp_path):
    rng = np.random.default_rng(1)
    runs = [
        make_run(tmp_path, ID, 0, score, a=float(a), b=float(b))
        for ID, (score, a, b) in enumerate(rng.normal(size=(12, 3)))
    ]

    sweep = sweep_of(runs)

    assert sweep.R2 < 0
    assert [key.name for key in sweep.keys] == ["a", "b"]
    assert "An additive fit explains nothing (cross-validated R² = -" in describe(sweep)[1]
    assert [ax.get_title() for ax in plot_sweep(sweep).axes] == [""] * 4


def test_few_configurations_are_not_fitted(tmp_path):
    assert math.isnan(sweep_of(grid(tmp_path, 7)).R2)
    assert math.isfinite(sweep_of(grid(tmp_path, 8)).R2)
    assert "Fewer than 8 with a score" in describe(sweep_of(grid(tmp_path, 7)))[1]


def test_a_configuration_counts_until_its_last_seed_breaks(tmp_path):
    runs = [
        make_run(tmp_path, 0, 0, 4, "diverged", lr=0),
        make_run(tmp_path, 0, 1, 8, lr=0),
        make_run(tmp_path, 1, 0, 50, "failed", lr=1),
        make_run(tmp_path, 1, 1, 60, "diverged", lr=1),
        make_run(tmp_path, 2, 0, None, "running", lr=2),
    ]

    sweep = sweep_of(runs)

    assert [trial.is_broken for trial in sweep.trials] == [False, True, False]
    assert sweep.trials[0].mean == 6
    assert [trial.ID for trial in sweep.best] == [0]
    assert describe(sweep)[0] == (
        "3 configurations, 1 × all of whose seeds failed or diverged, 1 without a score, "
        "1 seeds still running."
    )


def test_best_rows_by_hand(tmp_path):
    runs = [
        make_run(tmp_path, 0, 0, 1, hidden=[64, 64], clip=0.1),
        make_run(tmp_path, 1, 0, 3, hidden=[8], clip=0.25),
        make_run(tmp_path, 1, 1, 5, "stopped", hidden=[8], clip=0.25),
        make_run(tmp_path, 2, 0, 4, hidden=[8], **{"agent.lr": True}),
    ]

    assert best_rows(sweep_of(runs), 2) == [
        ["rank", "ID", "hidden", "clip", "lr", "final return", "seeds"],
        ["1", "1", "[8]", "0.25", "-", "4 ± 12.7", "1/2 seeds, 1 stopped"],
        ["2", "2", "[8]", "-", "true", "4", "1 seed"],
    ]


def test_what_is_no_sweep_is_refused(tmp_path):
    with pytest.raises(ValueError, match="--sweep: no key differs between 0 configurations"):
        sweep_of([])
    with pytest.raises(ValueError, match="no key differs between 1 configurations; expected"):
        sweep_of([make_run(tmp_path, 0, seed, 1) for seed in range(3)])
    with pytest.raises(ValueError, match=r"--sweep: 2 environments \(A, B\); expected the runs of"):
        sweep_of([make_run(tmp_path, ID, 0, 1, env=env) for ID, env in enumerate("BA")])
    with pytest.raises(ValueError, match=r"--sweep: 2 algorithms \(ppo, sac\); expected"):
        sweep_of([make_run(tmp_path, i, 0, 1, algo=a) for i, a in enumerate(["sac", "ppo"])])
    with pytest.raises(ValueError, match="no configuration has ended with a number in 'return'"):
        plot_sweep(sweep_of([make_run(tmp_path, i, 0, 1, "failed", lr=i) for i in range(2)]))


# Figure


def test_figure_of_a_sweep(sweep):
    figure = plot_sweep(sweep, title="a sweep")

    lr, idle, lines, table = figure.axes
    assert figure.get_suptitle() == "a sweep"
    assert [ax.get_xlabel() for ax in (lr, idle)] == ["lr", "idle"]
    assert lr.get_ylabel() == "final return"
    assert lr.get_title() == f"{100 * sweep.shares[0]:.0f} % of the variance"
    assert idle.get_title() == f"{100 * max(sweep.shares[1], 0):.0f} % of the variance"
    assert [tick.get_text() for tick in lr.get_xticklabels()] == [
        *("1e-05", "0.0001", "0.001", "0.01", "0.1")
    ]
    assert lr.get_xticks().tolist() == [-5, -4, -3, -2, -1]
    assert [tick.get_text() for tick in idle.get_xticklabels()] == ["0", "1"]
    assert [tick.get_text() for tick in lines.get_xticklabels()] == ["lr", "idle", "final return"]
    assert "cross-validated R² = " in figure.get_supxlabel()
    assert "The best of 10 look better than they are" in figure.get_supxlabel()
    cells = table.tables[0].get_celld()
    assert [cells[0, i].get_text().get_text() for i in range(6)] == [
        *("rank", "ID", "lr", "idle", "final return", "seeds")
    ]
    assert [cells[1, i].get_text().get_text() for i in range(3)] == ["1", "4", "0.001"]
    assert len(cells) == 6 * 6


def test_dots_are_means_and_seeds(sweep):
    panel = plot_sweep(sweep).axes[0]

    means = points(panel, "o")
    assert [round(y, 6) for _, y in means] == [-4, -4, -1, -1, 0, 0, -1, -1, -4, -4]
    assert [round(x) for x, _ in means] == [-5, -5, -4, -4, -3, -3, -2, -2, -1, -1]
    assert means[0][0] == -means[1][0] - 10 < -5  # aside, to either side
    assert len(points(panel, "o", BEST)) == 5
    assert len(points(panel, "o", OTHER)) == 5
    seeds = points(panel, ".")
    assert sorted(round(y, 6) for x, y in seeds if round(x) == -3) == [-0.1, -0.1, 0.1, 0.1]


def test_trend_is_the_mean_of_each_value(sweep):
    panel = plot_sweep(sweep).axes[0]

    (line,) = [line for line in panel.lines if line.get_marker() == "s"]
    np.testing.assert_allclose(line.get_xydata(), [[-5, -4], [-4, -1], [-3, 0], [-2, -1], [-1, -4]])
    panel = plot_sweep(sweep).axes[1]
    (line,) = [line for line in panel.lines if line.get_marker() == "s"]
    np.testing.assert_allclose(line.get_xydata(), [[0, -2], [1, -2]])
    # Student-t of (-4, -1, 0, -1, -4): deviation 1.8708, 2.7764 * 1.8708 / sqrt(5)
    band = panel.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == pytest.approx((-4.32295, 0.32295), abs=1e-4)


def test_many_numbers_are_grouped_with_their_neighbours(tmp_path):
    runs = [make_run(tmp_path, ID, 0, ID, a=float(ID)) for ID in range(12)]

    panel = plot_sweep(sweep_of(runs)).axes[0]

    (line,) = [line for line in panel.lines if line.get_marker() == "s"]
    np.testing.assert_allclose(line.get_xydata(), [[1.5, 1.5], [5.5, 5.5], [9.5, 9.5]])
    assert panel.get_xticks().tolist() == [0, 2.5, 5, 7.5, 10]


def test_categories_have_bars_and_a_place_each(tmp_path):
    values = [[64, 64], [8], [8], [64, 64]]
    runs = [make_run(tmp_path, ID, 0, ID, net=net) for ID, net in enumerate(values)]

    panel = plot_sweep(sweep_of(runs)).axes[0]

    assert [tick.get_text() for tick in panel.get_xticklabels()] == ["[64,64]", "[8]"]
    assert panel.get_xticks().tolist() == [0, 1]
    assert len(panel.containers) == 1
    assert panel.containers[0].lines[0].get_xydata().tolist() == [[0, 1.5], [1, 1.5]]


def test_failures_are_crosses_at_the_bottom_edge(tmp_path):
    runs = [
        *grid(tmp_path),
        make_run(tmp_path, 10, 0, 99, "diverged", **{"agent.lr": 1.0, "agent.idle": 0}),
        make_run(tmp_path, 11, 0, None, "failed", **{"agent.lr": 1.0, "agent.idle": 0}),
        make_run(tmp_path, 9, 2, -3, "failed", **{"agent.lr": 0.1, "agent.idle": 1}),
    ]
    sweep = sweep_of(runs)

    figure = plot_sweep(sweep)

    lr, _, lines, _ = figure.axes
    crosses = points(lr, "x", "#595959")
    assert [round(x) for x, _ in crosses] == [0, 0]
    assert {y for _, y in crosses} == {0.02}
    assert lr.get_ylim()[1] < 1  # what diverged at 99 does not stretch the axis
    assert [y for _, y in points(lr, "x", OTHER)] == [-3.0]  # a broken seed among others
    assert points(lines, "x") == [(2, -0.06)] * 2
    assert "2 × all of whose seeds failed" in figure.get_supxlabel()


def test_parallel_coordinates(sweep):
    lines = plot_sweep(sweep).axes[2]

    drawn = [line.get_ydata().tolist() for line in lines.lines if len(line.get_ydata()) == 3]
    assert drawn[:3] == [[0, 0, 0], [0, 1, 0], [0.25, 0, 0.75]]
    assert drawn[4] == pytest.approx([0.5, 0, 1])
    widths = [line.get_linewidth() for line in lines.lines if len(line.get_ydata()) == 3]
    assert [i for i, width in enumerate(widths) if width > 2] == [2, 3, 4, 5, 6]
    colors = [to_hex(line.get_color()) for line in lines.lines[:10]]
    assert colors[0] == colors[1] == colors[8] != colors[2] == colors[3] != colors[4]
    assert texts(lines)[:5] == ["1e-05", "0.0001", "0.001", "0.01", "0.1"]


def test_of_many_keys_the_first_are_drawn(tmp_path):
    runs = [
        make_run(tmp_path, ID, 0, ID, **{f"k{k}": (ID >> k) & 1 for k in range(8)})
        for ID in range(4)
    ]
    for run in runs:
        run.config.update({f"more{k}": run.ID + k for k in range(6)})

    sweep = sweep_of(runs)
    figure = plot_sweep(sweep)

    assert len(sweep.keys) == 8
    assert len(figure.axes) == 6 + 2
    assert "6 of 8 keys are drawn" in figure.get_supxlabel()
    assert len(figure.axes[-1].tables[0].get_celld()) == 5 * (6 + 4)


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (1e-5, 1e-1, ["1e-05", "0.0001", "0.001", "0.01", "0.1"]),
        (1.5e-4, 2.5e-2, ["0.0003", "0.001", "0.003", "0.01"]),
        (3, 30, ["3", "10", "30"]),
        (4, 25, ["5", "10", "20"]),
    ],
)
def test_ticks_of_logarithmic_axes(tmp_path, low, high, labels):
    values = np.geomspace(low, high, 9).tolist()
    runs = [make_run(tmp_path, ID, 0, ID, a=value) for ID, value in enumerate(values)]

    panel = plot_sweep(sweep_of(runs)).axes[0]

    assert [tick.get_text() for tick in panel.get_xticklabels()] == labels
    expected = np.log10([float(label) for label in labels])
    np.testing.assert_allclose(panel.get_xticks(), expected)


def test_equal_scores_can_be_drawn(tmp_path):
    runs = [make_run(tmp_path, ID, 0, 7, a=ID) for ID in range(9)]

    figure = plot_sweep(sweep_of(runs))

    assert "or all alike: no importance" in figure.get_supxlabel()
    assert figure.axes[0].get_ylim()[0] < 7 < figure.axes[0].get_ylim()[1]


@pytest.mark.parametrize("value", ["_x", "$\\bad$", "😀 漢", "x" * 500, "a\nb", "\x1b[31m", None])
def test_any_value_can_be_drawn(tmp_path, value):
    runs = [
        make_run(tmp_path, ID, 0, ID, net=v, **{str(value): ID})
        for ID, v in enumerate([value, 1, "$"])
    ]

    figure = plot_sweep(sweep_of(runs), title=value)

    assert len(figure_bytes(figure, ".png")) > 5000


def test_figures_are_the_same_bytes_each_time(tmp_path):
    first, second = (figure_bytes(plot_sweep(sweep_of(grid(tmp_path))), ".svg") for _ in range(2))

    assert first == second


def test_of_few_configurations_half_are_the_best_and_two_have_no_band(tmp_path):
    runs = [make_run(tmp_path, ID, 0, ID, a=float(ID // 2)) for ID in range(4)]

    panel = plot_sweep(sweep_of(runs)).axes[0]

    assert [y for _, y in points(panel, "o", BEST)] == [2, 3]
    assert [y for _, y in points(panel, "o", OTHER)] == [0, 1]
    assert not any(len(part.get_paths()) for part in panel.collections)
