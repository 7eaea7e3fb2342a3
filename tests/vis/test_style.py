import matplotlib as mpl
import pytest
from fake_runs import make_run
from matplotlib.colors import to_rgb

from lagom.vis.style import (
    LOOKS,
    differing_keys,
    drawable,
    label_runs,
    line_style,
    panel_of,
    plain,
    shorten,
)


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


def contrast(first, second):
    """Of two colours, by the definition of WCAG 2.1."""

    def luminance(color):
        parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color)]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    low, high = sorted([luminance(first), luminance(second)])
    return (high + 0.05) / (low + 0.05)


def test_contrast_by_hand():
    assert contrast("black", "white") == pytest.approx(21)
    assert contrast("#777777", "white") == pytest.approx(4.48, abs=0.01)


def test_colors_stand_out():
    dark = LOOKS["dark"]
    background = dark.rc["axes.facecolor"]
    assert all(contrast(color, background) > 5 for color in (*dark.colors, dark.muted))
    assert contrast(dark.rc["text.color"], background) > 10
    assert contrast(dark.rc["grid.color"], background) < 2
    assert contrast(LOOKS["paper"].muted, "white") > 5


@pytest.mark.parametrize("name", LOOKS)
def test_looks_are_known_to_matplotlib(name):
    look = LOOKS[name]
    with mpl.rc_context(look.rc):
        assert mpl.rcParams["font.size"] == look.rc["font.size"]
    assert len({tuple(line_style(i, look.colors).values()) for i in range(28)}) == 28


def test_panels_are_named(tmp_path):
    run = make_run(tmp_path / "x" / "0" / "1", agent__lr=0.1)

    assert panel_of(run) == "CartPole-v1"
    assert panel_of(run, "agent.lr") == "lr=0.1"
    assert panel_of(run, "algo.name") == "ppo"
    assert panel_of(run, "agent.clip") == "no agent.clip"


def test_keys_that_differ():
    a, b = {"x": 1, "y": [1, 2], "z": None}, {"x": 1, "y": [1, 3]}

    assert differing_keys([a, b, a], ["z", "y", "x"]) == ["z", "y"]
    assert differing_keys([a, a], ["x", "y"]) == []
    assert differing_keys([], ["x"]) == []
