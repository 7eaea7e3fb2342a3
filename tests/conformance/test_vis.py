"""Behaviours that must hold, by their ids: lagom.vis."""

import pickle

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lagom.vis import GridImage, read_xy, set_ticker


def grid_of(x, **kwargs):
    grid = GridImage(**kwargs)
    grid.add(x)
    return grid()


def label(x, **kwargs):
    ax = Figure().subplots()
    set_ticker(ax, KM_format=True, **kwargs)
    return ax.xaxis.get_major_formatter()(x)


def write_experiment(folder):
    """One configuration with two seeds that logged at different ``x``."""
    seeds = {1: [(0, 0), (10, 1), (20, 2)], 2: [(5, 1), (15, 3)]}
    for seed, points in seeds.items():
        (folder / "0" / str(seed)).mkdir(parents=True)
        logs = [{"x": [x], "y": [y]} for x, y in points]
        (folder / "0" / str(seed) / "train_logs.pkl").write_bytes(pickle.dumps(logs))
    (folder / "0" / "config.yml").write_text("ID: 0\nenv.id: A\nnn.sizes: [64, 64]\n")
    return folder


def read(folder, **kwargs):
    return read_xy(
        folder, "train_logs.pkl", lambda log: log["x"][0], lambda log: log["y"][0], **kwargs
    )


def test_VIS_01_grid():
    grid = grid_of(np.zeros([10, 3, 64, 64]), ncol=8, padding=5)

    assert grid.shape == (143, 557, 3)
    assert grid.dtype == np.uint8


def test_VIS_02_sizes():
    assert grid_of(np.zeros([3, 3, 4, 6])).shape == (8, 26, 3)
    assert grid_of(np.zeros([1, 5, 7])).shape == (9, 11, 3)
    assert grid_of(np.zeros([5, 7])).shape == (9, 11, 3)
    assert grid_of(np.zeros([5, 3, 2, 2]), ncol=2, padding=1).shape == (10, 7, 3)


def test_VIS_04_gray_and_wrong_types():
    gray = np.array([[10, 20], [30, 40]], np.uint8)

    grid = grid_of(gray, padding=0)

    for channel in range(3):
        np.testing.assert_array_equal(grid[..., channel], gray)
    with pytest.raises(TypeError):
        grid_of(((10, 20), (30, 40)))


def test_VIS_05_fractions_of_white():
    grid = grid_of(np.full([3, 4, 4], 0.5), pad_value=0)

    assert grid[4, 4].tolist() == [127, 127, 127]


def test_VIS_07_adding_twice():
    grid = GridImage(ncol=5, padding=0)
    grid.add(np.full([2, 3, 1, 1], [[[[10]]], [[[20]]]], np.uint8))
    grid.add(np.full([3, 3, 1, 1], [[[[30]]], [[[40]]], [[[50]]]], np.uint8))

    assert grid()[0, :, 0].tolist() == [10, 20, 30, 40, 50]


def test_VIS_08_thousands_and_millions():
    values = [500, 1000, 1500, 200000.0, 1e6, 2500000, -1500]

    labels = ["500", "1.0K", "1.5K", "200.0K", "1.0M", "2.5M", "-1.5K"]
    assert [label(x) for x in values] == labels


def test_VIS_09_integer_labels():
    values = [999.5, 1500, 200000.0, 999999, 2500000]

    labels = ["999", "1K", "200K", "999K", "2M"]
    assert [label(x, integer=True) for x in values] == labels


def test_VIS_10_number_of_ticks():
    ax = Figure().subplots()

    assert set_ticker(ax, axis="y", num=4) is ax
    locator = ax.yaxis.get_major_locator()
    assert isinstance(locator, MaxNLocator)
    assert locator._nbins == 4


def test_VIS_11_read_xy(tmp_path):
    table = read(write_experiment(tmp_path))

    assert len(table) == 10
    assert {"x", "y", "ID", "env.id", "nn.sizes"} <= set(table)
    assert table["x"].tolist() == 2 * [0, 5, 10, 15, 20]
    assert table["y"].tolist() == [0, 0.5, 1, 1.5, 2, 1, 1, 2, 3, 3]
    assert table["ID"].tolist() == [0] * 10
    assert table["env.id"].tolist() == ["A"] * 10
    assert table["nn.sizes"].tolist() == [(64, 64)] * 10


def test_VIS_13_other_folders_are_ignored(tmp_path):
    write_experiment(tmp_path)
    (tmp_path / "source_files").mkdir()
    write_experiment(tmp_path / "notes")

    assert len(read(tmp_path)) == 10


def test_VIS_14_seeds(tmp_path):
    write_experiment(tmp_path)

    assert read(tmp_path)["seed"].tolist() == [1] * 5 + [2] * 5
    own = read(tmp_path, no_extrapolate=True)
    second = own[own["seed"] == 2]
    assert second["x"].tolist() == [5, 10, 15]
    assert second["y"].tolist() == [1, 2, 3]
    assert own["x"][own["seed"] == 1].tolist() == [0, 5, 10, 15, 20]
