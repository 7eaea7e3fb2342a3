import numpy as np
import pytest
from fake_runs import make_run
from matplotlib.colors import to_hex

from lagom.vis import final_table, plot_experiment
from lagom.vis.plot import figure_bytes
from lagom.vis.references import Reference
from lagom.vis.style import LOOKS


def legend_of(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


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


def title_of(figure):
    return figure.legends[0].get_title().get_text()


def three_seeds(tmp_path, **words):
    rows = [[(0, 0.0), (100, 1.0)], [(0, 2.0), (100, 3.0)], [(0, 4.0), (100, 8.0)]]
    return [make_run(tmp_path / "x" / "0" / str(seed), rows[seed], **words) for seed in range(3)]


@pytest.mark.parametrize(
    ("band", "words", "low", "high"),
    [
        ("sd", "mean ± standard deviation of the seeds (no interval of the mean)", 0, 4),
        ("minmax", "mean, from the lowest seed to the highest", 0, 4),
        ("none", "mean over seeds", np.nan, np.nan),
    ],
)
def test_the_legend_says_which_band(tmp_path, band, words, low, high):
    figure = plot_experiment(three_seeds(tmp_path), band=band)

    (ax,) = figure.axes
    assert title_of(figure) == words
    assert legend_of(figure) == ["ppo (3 seeds)"]
    vertices = [path.vertices for path in ax.collections[0].get_paths()]
    at_zero = [y for part in vertices for x, y in part if x == 0]
    assert (min(at_zero, default=np.nan), max(at_zero, default=np.nan)) == pytest.approx(
        (low, high), nan_ok=True
    )


def test_seeds_and_smoothing_are_told(tmp_path):
    figure = plot_experiment(three_seeds(tmp_path), seeds=True, smooth=2, band="none")

    (ax,) = figure.axes
    mean, *thin = ax.lines
    assert mean.get_ydata().tolist() == [2.0, 3.0]
    assert [line.get_ydata().tolist() for line in thin] == [[0, 0.5], [2, 2.5], [4, 6]]
    assert all(line.get_linewidth() < 0.5 * mean.get_linewidth() for line in thin)
    assert title_of(figure) == (
        "mean over seeds   thin lines: single seeds   running mean of 2 points of each seed"
    )


def test_a_band_that_is_cut_is_told(tmp_path):
    rows = [(0, 0.0), (100, 1.0)], [(0, 0.1), (100, 1.1)]
    narrow = [make_run(tmp_path / "x" / "0" / str(i), rows[i]) for i in range(2)]
    wide = [make_run(tmp_path / "y" / "0" / str(i), [(0, 0.0), (100, 9.0 * i)]) for i in range(2)]

    assert "cut" not in title_of(plot_experiment(three_seeds(tmp_path / "z")[:1]))
    assert "wider intervals are cut" in title_of(plot_experiment(wide))
    assert "cut" not in title_of(plot_experiment(wide, band="sd"))
    assert "wider intervals are cut" in title_of(plot_experiment(narrow))


def test_wall_time(tmp_path):
    runs = three_seeds(tmp_path)
    for run, scale in zip(runs, (60.0, 120.0, 600.0), strict=True):
        run.logs["eval"]["seconds"] = [0.0, scale]

    figure = plot_experiment(runs, "seconds", band="none")

    (ax,) = figure.axes
    assert ax.get_xlabel() == "wall time (minutes)"
    np.testing.assert_allclose(
        ax.lines[0].get_xydata(), [[0, 2], [1, 2.633333], [2, 2.933333], [10, 4]], atol=0.01
    )
    assert "a seed that has ended counts with its last value" in title_of(figure)
    assert ax.xaxis.get_major_formatter()(1500) == "1500"


@pytest.mark.parametrize(
    ("seconds", "label", "end"),
    [
        (100.0, "seconds", 100),
        (7000.0, "minutes", 116.67),
        (7200.0, "hours", 2),
        (3e5, "days", 3.47),
    ],
)
def test_units_of_wall_time(tmp_path, seconds, label, end):
    run = make_run(tmp_path / "x" / "0" / "1")
    run.logs["eval"]["seconds"] = [1.0, seconds]

    (ax,) = plot_experiment([run], "seconds").axes

    assert ax.get_xlabel() == f"wall time ({label})"
    assert ax.lines[0].get_xdata()[-1] == pytest.approx(end, abs=0.01)


@pytest.mark.parametrize(
    ("x", "label"),
    [("episode", "training episodes"), ("iteration", "iterations"), ("num_update", "num_update")],
)
def test_names_of_horizontal_axes(tmp_path, x, label):
    run = make_run(tmp_path / "x" / "0" / "1")
    run.logs["eval"][x] = [1, 2]

    assert plot_experiment([run], x).axes[0].get_xlabel() == label


def test_logarithmic_axis(tmp_path):
    runs = [make_run(tmp_path / "x" / "0" / "1", [(0, 0.0), (1000, 1.0), (50_000, 2.0)])]

    figure = plot_experiment(runs, logx=True)

    (ax,) = figure.axes
    assert ax.get_xscale() == "log"
    assert 500 < ax.get_xlim()[0] < 1000 < 50_000 < ax.get_xlim()[1]
    low, high = ax.get_xlim()
    ticks = [tick for tick in ax.get_xticks() if low <= tick <= high]
    assert [ax.xaxis.get_major_formatter()(tick) for tick in ticks] == [
        *("1K", "2K", "5K", "10K", "20K", "50K")
    ]
    assert len(figure_bytes(figure, ".png")) > 5000
    with pytest.raises(ValueError, match="logx: timestep is nowhere positive"):
        plot_experiment([make_run(tmp_path / "y" / "0" / "1", [(0, 1.0)])], logx=True)


def reference(label, environment="", x=(), y=(1.0,), low=None, high=None):
    nan = np.full(len(y), np.nan)
    low, high = nan if low is None else np.array(low), nan if high is None else np.array(high)
    return Reference(label, environment, np.array(x, float), np.array(y), low, high)


def test_references_stand_in_their_panels(tmp_path):
    runs = [make_run(tmp_path / env / "0" / "1", env__id=env) for env in ("A", "B")]
    lines = [
        reference("solved", "A", y=[7.0]),
        reference("solved", "B", y=[9.0]),
        reference("random", y=[-3.0]),
        reference("theirs", "B", [0, 10], [1.0, 4.0], [0.0, 3.0], [2.0, 5.0]),
        reference("elsewhere", "C"),
    ]

    figure = plot_experiment(runs, references=lines)

    drawn = [[line.get_ydata()[-1] for line in ax.lines] for ax in figure.axes]
    assert drawn == [[2.0, 7.0, -3.0], [2.0, 9.0, -3.0, 4.0]]
    assert legend_of(figure) == ["ppo (1 seed)", "solved", "random", "theirs"]
    styles = {line.get_linestyle() for line in figure.axes[1].lines}
    assert len(styles) == 4
    assert figure.axes[0].get_ylim()[0] < -3 < 7 < figure.axes[0].get_ylim()[1]
    assert figure.axes[1].collections[-1].get_paths()[0].vertices[:, 1].max() == 5


def test_references_do_not_hide_behind_a_cut_band(tmp_path):
    figure = plot_experiment(three_seeds(tmp_path), references=[reference("far", y=[900.0])])

    assert figure.axes[0].get_ylim()[1] > 900


def test_references_in_units_of_time(tmp_path):
    run = make_run(tmp_path / "x" / "0" / "1")
    run.logs["eval"]["seconds"] = [0.0, 36_000.0]

    figure = plot_experiment([run], "seconds", references=[reference("r", "", [3600], [1.0])])

    assert figure.axes[0].lines[1].get_xdata().tolist() == [1.0]


def test_looks_and_sizes(tmp_path):
    runs = three_seeds(tmp_path)

    paper, talk, dark = (plot_experiment(runs, style=style) for style in LOOKS)
    small = plot_experiment(runs, width=3.0, height=2.0, ylim=(None, 5.0))

    sizes = [figure.axes[0].title.get_fontsize() for figure in (paper, talk, dark)]
    assert sizes[0] < sizes[1] == sizes[2]
    assert to_hex(dark.get_facecolor()) == to_hex(LOOKS["dark"].rc["figure.facecolor"])
    assert to_hex(paper.get_facecolor()) == "#ffffff"
    assert to_hex(dark.axes[0].lines[0].get_color()) == LOOKS["dark"].colors[0].lower()
    assert small.get_size_inches().tolist() == [3.0, 2.0]
    assert small.axes[0].get_ylim()[1] == 5.0
    assert small.axes[0].get_ylim()[0] == pytest.approx(0.8)  # 2 to 4, half of that, a twentieth
    with pytest.raises(ValueError, match="style: got 'poster'; expected one of paper, talk, dark"):
        plot_experiment(runs, style="poster")


def test_legends_are_read_in_rows_and_notes_are_wrapped(tmp_path):
    runs = [
        make_run(tmp_path / "x" / str(i) / str(seed), status="failed", agent__lr=i)
        for i in range(4)
        for seed in range(2)
    ]

    figure = plot_experiment(runs, seeds=True, smooth=2)
    figure.canvas.draw()

    assert figure.legends[0]._ncols == 3
    assert [text.split()[0] for text in legend_of(figure)] == ["lr=0", "lr=3", "lr=1", "lr=2"]
    assert len(title_of(figure).splitlines()) == 2
    edges = figure.legends[0].get_window_extent()
    assert edges.x0 >= 0
    assert edges.x1 <= figure.bbox.width


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

    by_column = [f"lr={i} (1 seed)" for first in range(4) for i in range(first, 10, 4)]
    assert legend_of(figure) == by_column
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


def test_titles_of_a_row_stand_at_one_height(tmp_path):
    runs = [make_run(tmp_path / "x" / "0" / str(seed)) for seed in range(2)]
    runs += [make_run(tmp_path / "y" / "0" / "1", env__id="Other-v0")]

    figure = plot_experiment(runs)

    figure.canvas.draw()
    tops = [ax.title.get_window_extent().y0 for ax in figure.axes]
    assert tops[0] == pytest.approx(tops[1], abs=3)  # letters that reach below the line
    assert sum(len(ax.texts) for ax in figure.axes) == 1


@pytest.mark.parametrize(
    ("end", "labels"),
    [
        (2e6, ["0", "500K", "1M", "1.5M", "2M"]),
        (1e4, ["0", "2K", "4K", "6K", "8K", "10K"]),
        (900, ["0", "200", "400", "600", "800"]),
    ],
)
def test_ticks_of_steps_are_short(tmp_path, end, labels):
    figure = plot_experiment([make_run(tmp_path / "x/0/1", [(0, 0.0), (end, 1.0)])], width=5)

    (ax,) = figure.axes
    found = [tick.get_text() for tick in ax.get_xticklabels()]
    assert set(labels) <= set(found)
