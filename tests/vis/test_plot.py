import math
import sys

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from lagom.cli.plot import plot
from lagom.experiment.journal import Journal
from lagom.experiment.storage import write_json, write_yaml
from lagom.vis import final_table, plot_experiment, read_runs
from lagom.vis.curves import average_seeds, make_curves, student_t
from lagom.vis.plot import figure_bytes
from lagom.vis.runs import Run
from lagom.vis.style import drawable, label_runs, line_style, plain, shorten

CONFIG = {"algo.name": "ppo", "env.id": "CartPole-v1", "agent.lr": 0.001}


def make_run(path, rows=((0, 1.0), (10, 2.0)), status="done", log="eval", **config):
    """A run of ``name/ID/seed`` with (timestep, return) rows; ``__`` in a key stands for a dot."""
    name, ID, seed = path.parts[-3:]
    config = {"ID": int(ID), **CONFIG, **{k.replace("__", "."): v for k, v in config.items()}}
    columns = {"timestep": [x for x, _ in rows], "return": [y for _, y in rows]}
    return Run(path, name, int(ID), int(seed), status, config, {log: columns} if rows else {})


def write(run):
    """The files of a run."""
    run.path.mkdir(parents=True)
    write_yaml(run.path.parent / "config.yml", run.config)
    write_json(run.path / "status.json", {"status": run.status, "timestep": 0})
    for log, columns in run.logs.items():
        journal = Journal(run.path / f"{log}.journal")
        for x, y in zip(columns["timestep"], columns["return"], strict=True):
            journal.append({"timestep": x, "return": y})
        journal.close()


def arrays(*seeds):
    return [(np.array(x, float), np.array(y, float)) for x, y in seeds]


def legend_of(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


# Statistics


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
    x, mean, half = average_seeds(arrays(([0, 10, 20], [0, 1, 2]), ([0, 5, 20], [1, 3, 6])))

    np.testing.assert_allclose(x, [0, 5, 10, 20])
    np.testing.assert_allclose(mean, [0.5, 1.75, 2.5, 4.0])
    np.testing.assert_allclose(half, 12.7062047 * np.array([0.5, 1.25, 1.5, 2.0]), rtol=1e-6)


def test_seeds_are_never_extrapolated():
    long, short = ([0, 10, 20, 30, 40], [0, 10, 20, 30, 40]), ([0, 10, 20], [2, 12, 22])
    x, mean, half = average_seeds(arrays(long, long, short))

    np.testing.assert_allclose(x, [0, 10, 20, 30, 40])
    np.testing.assert_allclose(mean, [2 / 3, 10 + 2 / 3, 20 + 2 / 3, 30, 40])
    np.testing.assert_allclose(half[3:], 0, atol=1e-9)

    _, mean, half = average_seeds(arrays(long, short))  # one seed is no mean of two
    np.testing.assert_allclose(mean, [1, 11, 21, np.nan, np.nan])
    assert np.isfinite(half).tolist() == [True, True, True, False, False]


def test_ends_of_seeds_at_slightly_different_steps_leave_no_hooks():
    seeds = arrays(([10, 20, 30], [0, 0, 0]), ([11, 21, 31], [6, 6, 6]), ([12, 22, 32], [9, 9, 9]))

    x, mean, _ = average_seeds(seeds)

    np.testing.assert_allclose(x, [12, 20, 21, 22, 30])
    np.testing.assert_allclose(mean, 5.0)


def test_one_seed_is_its_own_mean_without_interval():
    x, mean, half = average_seeds(arrays(([3, 7], [1, 5])))

    np.testing.assert_array_equal(x, [3, 7])
    np.testing.assert_array_equal(mean, [1, 5])
    assert np.isnan(half).all()


def test_seeds_of_one_point_each_meet_at_their_mean():
    x, mean, half = average_seeds(arrays(([100], [1]), ([104], [3]), ([], [])))

    np.testing.assert_allclose([x[0], mean[0]], [102, 2])
    assert half[0] == pytest.approx(12.7062047, rel=1e-6)


def test_seeds_that_never_meet_are_still_drawn():
    x, mean, half = average_seeds(arrays(([0, 10], [1, 2]), ([20, 30], [3, 4])))

    np.testing.assert_allclose(x[np.isfinite(mean)], [0, 10, 20, 30])
    np.testing.assert_allclose(mean, [1, 2, 3, 4])
    assert np.isnan(half).all()


def test_long_curves_are_thinned():
    x = np.arange(5000.0)

    grid, mean, _ = average_seeds([(x, 2 * x), (x, 4 * x)])

    assert (len(grid), grid[0], grid[-1]) == (1000, 0, 4999)
    np.testing.assert_allclose(mean, 3 * grid)


# Curves


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
        ({"y": "retrun"}, "y: no run has 'retrun'; expected for example 'return'"),
        ({"y": "train.retrun"}, "y: no run has 'retrun'; expected for example 'return'"),
        ({"group": ["lr"]}, "group: no run has 'lr'; expected for example 'agent.lr'"),
        ({"group": ["algo.nam"]}, "group: no run has 'algo.nam'; .* 'algo.name'"),
    ],
)
def test_unknown_keys_are_refused(tmp_path, words, message):
    with pytest.raises(ValueError, match=message):
        make_curves([make_run(tmp_path / "x" / "0" / "1")], **words)


# Labels


def labels(tmp_path, *configs, group=None, name="x"):
    runs = [make_run(tmp_path / name / str(i) / "1", **c) for i, c in enumerate(configs)]
    return label_runs(runs, group)


def test_labels_tell_what_differs(tmp_path):
    same = {"agent__gamma": 0.99}
    assert labels(tmp_path, same) == ["ppo"]
    assert labels(tmp_path, {"agent__lr": 3e-4, **same}, {"agent__lr": 1e-3, **same}) == [
        "lr=0.0003",
        "lr=0.001",
    ]
    assert labels(tmp_path, {"algo__name": "cmaes", "agent__sigma": 1}, same) == ["cmaes", "ppo"]
    two = {"agent__lr": 1, "agent__on": True}, {"agent__lr": 2, "agent__on": False}
    assert labels(tmp_path, {"algo__name": "es"}, *two) == [
        "es",
        "ppo lr=1 on=true",
        "ppo lr=2 on=false",
    ]
    assert labels(tmp_path, {"agent__sizes": [64, 64]}, {"agent__sizes": [8]}) == [
        "sizes=[64,64]",
        "sizes=[8]",
    ]
    assert labels(tmp_path, {}, {"agent__clip": 0.2}) == ["ppo", "clip=0.2"]


def test_labels_keep_the_prefix_where_it_is_needed(tmp_path):
    assert labels(tmp_path, {"agent__lr": 1, "lr": 2}, {"agent__lr": 3, "lr": 4}) == [
        "agent.lr=1 lr=2",
        "agent.lr=3 lr=4",
    ]


def test_labels_do_not_tell_what_differs_between_environments(tmp_path):
    configs = [
        {"env__id": env, "algo__name": algo, "agent__lr": lr, "train__timestep": lr * 10}
        for env, lr in (("A", 1), ("B", 2))
        for algo in ("ppo", "es")
    ]
    assert labels(tmp_path, *configs) == ["ppo", "es", "ppo", "es"]


def test_equal_configurations_are_told_apart_by_where_they_lie(tmp_path):
    assert labels(tmp_path, {}, {"device": "cuda"}) == ["ppo ID=0", "ppo ID=1"]
    runs = [make_run(tmp_path / name / "0" / "1") for name in ("a", "b")]
    assert label_runs(runs) == ["ppo a", "ppo b"]
    runs = [make_run(tmp_path / root / "x" / "0" / "1") for root in "ab"]
    assert label_runs(runs) == [f"ppo {tmp_path / root / 'x' / '0'}" for root in "ab"]


def test_labels_of_groups(tmp_path):
    configs = {"agent__lr": 1}, {"agent__lr": 2, "algo__name": "es"}
    assert labels(tmp_path, *configs, group=["algo.name", "agent.lr"]) == ["ppo lr=1", "es lr=2"]
    assert labels(tmp_path, {}, {"agent__clip": 1}, group=["agent.clip"]) == ["ppo", "clip=1"]
    assert labels(tmp_path, {}, group=["name", "ID"]) == ["name=x ID=0"]


def test_texts_are_safe():
    assert plain("a\n\tb\x1b]0;title\x07 \u202ec") == "a b ]0;title c"
    assert drawable("$\\bad$") == r"\$\bad\$"
    assert drawable("_x") == "\u200b_x"
    assert shorten("ab" * 30, 12) == "abababa…abab"
    assert shorten("ab" * 6, 12) == "ab" * 6
    assert len(drawable("x" * 500)) == 48


def test_styles_differ():
    assert len({tuple(line_style(i).values()) for i in range(28)}) == 28


# Figure


def test_figure_of_two_environments(tmp_path):
    runs = [
        make_run(tmp_path / f"{algo}-{env}" / "0" / str(seed), env__id=env, algo__name=algo)
        for env in ("B", "A")
        for algo in ("ppo", "es")
        for seed in range(2)
    ]

    figure = plot_experiment(runs, title="both")

    assert [ax.get_title() for ax in figure.axes] == ["A", "B"]
    assert legend_of(figure) == ["ppo (2 seeds)", "es (2 seeds)"]
    assert figure.get_supylabel() == "return (evaluation)"
    assert figure.get_suptitle() == "both"
    for ax in figure.axes:
        assert ax.get_xlabel() == "environment steps"
        assert [to_hex(line.get_color()) for line in ax.lines] == ["#0072b2", "#d55e00"]
        assert len(ax.collections) == 2
    title = figure.legends[0].get_title().get_text()
    assert title == "mean, 95 % Student-t interval over seeds"


def test_lines_and_bands_are_mean_and_interval(tmp_path):
    runs = [
        make_run(tmp_path / "x" / "0" / str(seed), [(0, 0.0 + seed), (1000, 10.0 + 3 * seed)])
        for seed in range(2)
    ]

    (ax,) = plot_experiment(runs).axes

    np.testing.assert_allclose(ax.lines[0].get_xydata(), [[0, 0.5], [1000, 11.5]])
    band = ax.collections[0].get_paths()[0].vertices
    assert band[:, 1].max() == pytest.approx(11.5 + 1.5 * 12.7062047)
    assert ax.get_ylim()[1] < 11.5 + 1.5 * 12.7062047  # so wide a band may not flatten the line
    assert [ax.xaxis.get_major_formatter()(x) for x in (0, 500, 1000)] == ["0", "500", "1K"]


def test_single_seeds_have_no_band(tmp_path):
    figure = plot_experiment([make_run(tmp_path / "x" / "0" / "1")])

    assert legend_of(figure) == ["ppo (1 seed)"]
    assert figure.legends[0].get_title().get_text() == "single seeds, no interval"
    assert figure.axes[0].collections[0].get_paths() == []


def test_failures_stay_in_and_are_counted(tmp_path):
    folder = tmp_path / "x" / "0"
    runs = [make_run(folder / str(seed)) for seed in range(3)]
    runs.append(make_run(folder / "3", [(0, 0.0), (5, -7.0)], "diverged"))
    runs.append(make_run(folder / "4", (), "waiting"))

    figure = plot_experiment(runs)

    assert legend_of(figure) == ["ppo (3/5 seeds, 1 diverged, 1 waiting)"]
    assert "× a seed that failed" in figure.legends[0].get_title().get_text()
    line, cross = figure.axes[0].lines
    assert line.get_ydata()[0] == 0.75  # (1 + 1 + 1 + 0) / 4
    assert cross.get_xydata().tolist() == [[5, -7]]


def test_a_panel_says_where_its_seeds_differ_from_the_legend(tmp_path):
    runs = [
        make_run(tmp_path / env / "0" / str(i), status=status, env__id=env)
        for env in "ABC"
        for i, status in enumerate(["done", "failed" if env == "B" else "done"])
    ]

    figure = plot_experiment(runs)

    assert legend_of(figure) == ["ppo (2 seeds)"]
    notes = [[text.get_text() for text in ax.texts] for ax in figure.axes]
    assert notes == [[], ["ppo: 1/2 seeds, 1 failed"], []]


def test_training_returns_are_named_so(tmp_path):
    train = make_run(tmp_path / "a" / "0" / "1", status="running", log="train", algo__name="es")

    assert plot_experiment([train]).get_supylabel() == "return (training)"
    figure = plot_experiment([train, make_run(tmp_path / "b" / "0" / "1")])
    assert figure.get_supylabel() == "return (evaluation; * training)"
    assert legend_of(figure) == ["es* (1 seed, running)", "ppo (1 seed)"]


def test_of_many_configurations_the_highest_are_drawn(tmp_path):
    runs = [
        make_run(tmp_path / "x" / str(i) / "1", [(0, 0.0), (9, float(-i))], agent__lr=i)
        for i in range(12)
    ]

    figure = plot_experiment(runs)

    assert legend_of(figure) == [f"lr={i} (1 seed)" for i in range(10)]
    assert "10 of 12 configurations: the highest" in figure.legends[0].get_title().get_text()
    assert len(figure.axes[0].lines) == 10
    assert len(final_table(runs)) == 12


def test_one_evaluation_is_a_point_with_an_error_bar(tmp_path):
    runs = [make_run(tmp_path / "x" / "0" / str(i), [(1000 + i, float(i))]) for i in range(3)]

    (ax,) = plot_experiment(runs).axes

    assert ax.lines[0].get_xydata().tolist() == [[1001, 1]]
    assert len(ax.containers) == 1
    assert ax.get_xlim()[0] < 0 < 1001 < ax.get_xlim()[1]


@pytest.mark.parametrize(
    "value", ["_x", "$\\bad$", "x_$^$", "😀 漢", "x" * 500, "a\nb", "\x1b[31m"]
)
def test_any_value_can_be_drawn(tmp_path, value):
    runs = [
        make_run(tmp_path / "x" / str(i) / "1", agent__net=v, env__id=value, algo__name=value)
        for i, v in enumerate([value, 1])
    ]

    figure = plot_experiment(runs, title=value)

    assert len(figure_bytes(figure, ".png")) > 5000
    assert len(legend_of(figure)) == 2
    assert not any(c in "".join(legend_of(figure)) for c in "\n\x1b")


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg"])
def test_figures_are_the_same_bytes_each_time(tmp_path, suffix):
    runs = [make_run(tmp_path / "x" / "0" / str(seed)) for seed in range(2)]

    first, second = (figure_bytes(plot_experiment(runs), suffix) for _ in range(2))

    assert first == second
    assert first.startswith({".png": b"\x89PNG", ".pdf": b"%PDF", ".svg": b"<?xml"}[suffix])


def test_nothing_to_draw_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no run has numbers in 'timestep' and 'return'"):
        plot_experiment([make_run(tmp_path / "x" / "0" / "1", ())])


# Table


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


# Command


@pytest.fixture
def outputs(tmp_path):
    """Two configurations with two seeds each."""
    for ID, lr in enumerate([0.1, 0.2]):
        for seed in (1, 2):
            rows = [(0, 0.0), (100, 1000.0 * lr + seed)]
            write(make_run(tmp_path / "outputs" / "x" / str(ID) / str(seed), rows, agent__lr=lr))
    return tmp_path / "outputs"


def test_command_writes_figure_and_table(outputs, tmp_path, capsys):
    assert plot([outputs]) == 0

    out, err = capsys.readouterr()
    assert (outputs / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert err == ""
    assert out.splitlines() == [
        "environment  configuration  seeds    final return  best mean return  steps",
        "CartPole-v1  lr=0.1         2 seeds  101.5 ± 6.35  101.5 at 100      100",
        "CartPole-v1  lr=0.2         2 seeds  201.5 ± 6.35  201.5 at 100      100",
        f"wrote {outputs / 'curve.png'}",
    ]


def test_command_writes_what_it_is_asked_for(outputs, tmp_path, capsys):
    svg, table = tmp_path / "figure.SVG", tmp_path / "rows.csv"

    assert plot([outputs / "x" / "0", outputs / "x"], svg, group="agent.lr,ID", csv=table) == 0

    out, _ = capsys.readouterr()
    assert svg.read_bytes().startswith(b"<?xml")
    assert "lr=0.1 ID=0" in out
    assert out.endswith(f"wrote {svg}\nwrote {table}\n")
    rows = pd.read_csv(table)
    assert rows["return"].tolist() == [0, 101, 0, 102, 0, 201, 0, 202]
    assert rows["seed"].tolist() == [1, 1, 2, 2] * 2
    assert not (outputs / "curve.png").exists()


def test_command_on_a_terminal(outputs, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)

    assert plot([outputs / "x" / "0"]) == 0

    assert "101.5 ± 6.35" in capsys.readouterr().out


def test_command_names_training_returns(outputs, capsys):
    write(make_run(outputs / "y" / "0" / "1", status="running", log="train"))

    assert plot([outputs / "y"]) == 0

    assert "ppo (training)  1 seed, running" in capsys.readouterr().out


def test_bad_files_are_told_and_the_rest_is_drawn(outputs, capsys):
    for ID in range(2, 16):
        write(make_run(outputs / "x" / str(ID) / "1"))
        (outputs / "x" / str(ID) / "config.yml").write_text("a: [\n\x1b[31m")

    assert plot([outputs]) == 0

    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert lines[0] == "14 problems in what was read:"
    assert lines[-1] == "  and 4 more"
    assert len(lines) == 12
    assert "\x1b" not in err
    assert out.count("2 seeds") == 2


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ({"paths": ["outptus/x"]}, 2, "no such folder 'outptus/x'; did you mean 'outputs'"),
        (
            {"paths": ["outputs/y/0"]},
            2,
            "no such folder 'outputs/y/0'; expected a folder that lagom",
        ),
        ({"paths": ["outputs/x/0/3"]}, 2, "no such folder 'outputs/x/0/3'"),
        ({"paths": ["a\0b"]}, 2, "no such folder"),
        ({"paths": ["outputs", "x" * 300]}, 2, "no such folder"),
        ({"output": "curve.jpg"}, 2, "'curve.jpg' is no figure; expected a name in .png, .pdf"),
        ({"output": "outputs"}, 2, "'outputs' is no figure"),
        ({"y": "retrun"}, 2, "y: no run has 'retrun'; expected for example 'return'"),
        ({"group": "lr"}, 2, "group: no run has 'lr'; expected for example 'agent.lr'"),
        ({"output": "gone/curve.png"}, 4, "cannot write gone/curve.png (No such file"),
        ({"csv": "gone/rows.csv"}, 4, "cannot write gone/rows.csv (No such file"),
        ({"paths": ["empty"]}, 5, "nothing to draw: no run in empty has logged timestep and"),
        ({"paths": ["outputs/x/0/1/status.json"]}, 5, "nothing to draw"),
    ],
)
def test_mistakes_are_answered_in_a_line(outputs, monkeypatch, capsys, words, code, message):
    monkeypatch.chdir(outputs.parent)
    (outputs.parent / "empty").mkdir()

    assert plot(**{"paths": ["outputs"], **words}) == code

    err = capsys.readouterr().err
    assert message in err
    assert len(err.splitlines()) <= 3


def test_a_full_disk_has_its_own_code(outputs, monkeypatch, capsys):
    def full(path, data):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("lagom.cli.plot.write_bytes", full)

    assert plot([outputs]) == 6
    assert "No space left on device" in capsys.readouterr().err


def test_terminals_without_unicode(outputs, monkeypatch, tmp_path):
    with open(tmp_path / "out", "w", encoding="ascii") as file:
        monkeypatch.setattr(sys, "stdout", file)
        assert plot([outputs]) == 0

    assert "101.5 ? 6.35" in (tmp_path / "out").read_text()


def test_reading_gives_what_was_written(outputs):
    runs, messages = read_runs([outputs])

    assert [(run.ID, run.seed, run.status) for run in runs] == [
        *((0, 1, "done"), (0, 2, "done"), (1, 1, "done"), (1, 2, "done"))
    ]
    assert runs[0].logs["eval"]["return"] == [0.0, 101.0]
    assert messages == []
