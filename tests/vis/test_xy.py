import os
import pickle

import numpy as np
import pytest

from lagom.experiment.journal import Journal
from lagom.experiment.storage import write_pickle, write_yaml
from lagom.transform import smooth_filter
from lagom.vis import read_xy

CONFIG = {"ID": 0, "env.id": "A", "nn.sizes": [64, [32, 16]]}


def write_old(folder, points, config=CONFIG):
    """A seed as lagom 0.0.3 left it: a list of dictionaries, whose values are lists of one."""
    folder.mkdir(parents=True)
    write_yaml(folder.parent / "config.yml", config)
    write_pickle(folder / "train_logs.pkl", [{"step": [x], "return": [y]} for x, y in points])
    return folder


def write_new(folder, points, log="eval", config=CONFIG):
    """A seed as it is today: a journal, and beside it the pickle of the last checkpoint."""
    folder.mkdir(parents=True, exist_ok=True)
    write_yaml(folder.parent / "config.yml", config)
    journal = Journal(folder / f"{log}.journal")
    for x, y in points:
        journal.append({"step": x, "return": y})
    journal.close()
    (x, y), *_ = points
    write_pickle(folder / f"{log}_logs.pkl", {"step": [x], "return": [y]})
    return folder


def two_seeds(tmp_path, write=write_old):
    write(tmp_path / "0" / "2", [(5, 1), (15, 3)])
    write(tmp_path / "0" / "1", [(0, 0), (10, 1), (20, 2)])
    return tmp_path


def points(table, seed=None):
    rows = table if seed is None else table[table["seed"] == seed]
    return list(zip(rows["x"].tolist(), rows["y"].tolist(), strict=True))


@pytest.mark.parametrize(
    ("write", "file_name"),
    [
        (write_old, "train_logs.pkl"),
        (write_old, "train"),
        (write_new, "eval.journal"),
        (write_new, "eval_logs.pkl"),
        (write_new, "eval"),
    ],
)
def test_seeds_on_a_common_grid(tmp_path, write, file_name):
    table = read_xy(two_seeds(tmp_path, write), file_name, "step", "return")

    assert list(table) == ["x", "y", "ID", "seed", "env.id", "nn.sizes"]
    assert points(table, 1) == [(0, 0), (5, 0.5), (10, 1), (15, 1.5), (20, 2)]
    assert points(table, 2) == [(0, 1), (5, 1), (10, 2), (15, 3), (20, 3)]
    assert table["seed"].tolist() == [1] * 5 + [2] * 5
    assert set(table["ID"]) == {0}
    assert set(table["env.id"]) == {"A"}
    assert set(table["nn.sizes"]) == {(64, (32, 16))}


def test_functions_get_rows(tmp_path):
    two_seeds(tmp_path)
    raw = read_xy(tmp_path, "train_logs.pkl", lambda row: row["step"], lambda row: row["return"])
    scaled = read_xy(
        str(tmp_path),
        "train_logs.pkl",
        lambda row: 2 * row["step"][0],
        lambda row: -row["return"][0],
    )

    assert points(raw, 1) == [(0, 0), (5, 0.5), (10, 1), (15, 1.5), (20, 2)]
    assert points(scaled, 2) == [(0, -1), (10, -1), (20, -2), (30, -3), (40, -3)]


def test_nothing_beyond_the_ends_of_a_seed(tmp_path):
    two_seeds(tmp_path)
    table = read_xy(tmp_path, "train_logs.pkl", "step", "return", no_extrapolate=True)
    thin = read_xy(tmp_path, "train_logs.pkl", "step", "return", no_extrapolate=True, point_step=2)

    assert points(table, 1) == [(0, 0), (5, 0.5), (10, 1), (15, 1.5), (20, 2)]
    assert points(table, 2) == [(5, 1), (10, 2), (15, 3)]
    assert points(thin, 1) == [(0, 0), (10, 1), (20, 2)]
    assert points(thin, 2) == [(10, 2)]  # the same grid for all seeds


def test_each_third_point(tmp_path):
    write_old(tmp_path / "0" / "1", [(x, x * x) for x in range(8)])

    table = read_xy(tmp_path, "train_logs.pkl", "step", "return", point_step=3)

    assert points(table) == [(0, 0), (3, 9), (6, 36)]


def test_smoothing_on_the_grid(tmp_path):
    y = np.random.default_rng(0).normal(size=60).tolist()
    write_old(tmp_path / "0" / "1", list(enumerate(y)))
    write_old(tmp_path / "0" / "2", list(enumerate(y[:55])))

    def smooth(**kwargs):
        table = read_xy(
            tmp_path, "train_logs.pkl", "step", "return", smooth_out=True, point_step=2, **kwargs
        )
        return [table["y"][table["seed"] == seed] for seed in (1, 2)]

    kws = {"window_length": 5, "polyorder": 2}
    np.testing.assert_allclose(smooth()[0], smooth_filter(y, 51, 3)[::2])
    np.testing.assert_allclose(smooth(smooth_kws=kws)[0], smooth_filter(y, 5, 2)[::2])
    held = smooth_filter(y[:55] + 5 * [y[54]], 5, 2)
    np.testing.assert_allclose(smooth(smooth_kws=kws)[1], held[::2])
    inside = smooth_filter(y[:55], 5, 2)
    np.testing.assert_allclose(smooth(smooth_kws=kws, no_extrapolate=True)[1], inside[::2])


def test_configurations_keep_their_own_grid_and_may_differ_in_keys(tmp_path):
    config = {"ID": 7, "x": 1, "seed": 99, "agent.lr": 0.5}
    write_old(tmp_path / "10" / "1", [(1, 1)], config)
    write_old(tmp_path / "2" / "3", [(4, 2)])

    table = read_xy(tmp_path, "train_logs.pkl", "step", "return")

    assert list(table) == ["x", "y", "ID", "seed", "env.id", "nn.sizes", "agent.lr"]
    assert points(table) == [(4, 2), (1, 1)]
    assert table["ID"].tolist() == [2, 10]  # the folder, whatever the configuration says
    assert table["seed"].tolist() == [3, 1]
    assert table["agent.lr"].isna().tolist() == [True, False]
    assert table["nn.sizes"].isna().tolist() == [False, True]


def test_rows_are_sorted_and_those_without_numbers_left_out(tmp_path):
    nan, inf = float("nan"), float("inf")
    rows = [(3, 1), (1, 5), (2, nan), (None, 4), (3, 2), (4, None), (5, inf), (6, "x"), (7, [1, 2])]
    write_old(tmp_path / "0" / "1", rows)

    assert points(read_xy(tmp_path, "train_logs.pkl", "step", "return")) == [(1, 5), (3, 2)]


def test_other_names_are_ignored(tmp_path):
    two_seeds(tmp_path)
    for name in ("source_files", "notes", "old-1-0", "²"):
        write_old(tmp_path / name / "1", [(0, 100)])
        write_old(tmp_path / "0" / name, [(0, 100)])
    (tmp_path / "3").write_text("a file")

    table = read_xy(tmp_path, "train_logs.pkl", "step", "return")

    assert len(table) == 10
    assert table["y"].max() == 3


class Code:
    """Unpickled by an ordinary reader, it would write a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def replace(name, content):
    def damage(folder):
        (folder / name).write_bytes(content)

    return damage


def instead(name, make):
    def damage(folder):
        (folder / name).unlink()
        make(folder / name)

    return damage


LOG = "train_logs.pkl"
DAMAGES = {
    f"{LOG}: refused, not a pickle of plain values": replace(LOG, b"cposix\nsystem\n(S'true'\ntR."),
    f"{LOG}: refused, not a pickle of": replace(LOG, b"\x80\x05\x95\xff"),
    f"{LOG}: no such file": instead(LOG, lambda path: None),
    rf"{LOG}: no such\b": instead(LOG, os.mkfifo),
    f"{LOG}: not a log; expected a list with": replace(LOG, pickle.dumps(3)),
    f"{LOG}: not a log; expected a list": replace(LOG, pickle.dumps([3])),
    f"{LOG}: not a log; expected a": replace(LOG, pickle.dumps({"step": [1], "return": [1, 2]})),
    f"{LOG}: not a log; expected": replace(LOG, pickle.dumps({"step": 1})),
    f"{LOG}: no row with both numbers": replace(LOG, pickle.dumps([{"step": 1, "return": "x"}])),
    f"{LOG}: no row with both": replace(LOG, pickle.dumps([])),
    f"{LOG}: no row with": replace(LOG, pickle.dumps([{"step": 1, "return": [1, 2]}])),
    f"{LOG}: no row": replace(LOG, pickle.dumps({})),
    "config.yml: No such file": instead("../config.yml", lambda path: None),
    "config.yml: not a configuration": replace("../config.yml", b"[1, 2]"),
    "config.yml: not readable as YAML": replace("../config.yml", b"a: !!python/tuple [1]"),
}


@pytest.mark.parametrize("reason", DAMAGES)
def test_what_cannot_be_read_is_named_and_left_out(tmp_path, reason):
    two_seeds(tmp_path)
    bad = write_old(tmp_path / "1" / "5", [(0, 100)])
    DAMAGES[reason](bad)

    with pytest.warns(UserWarning, match=rf"^read_xy: left out: .*/1/.*{reason}") as told:
        table = read_xy(tmp_path, LOG, "step", "return")

    assert len(told) == 1
    assert told[0].filename == __file__
    assert len(table) == 10


def test_reading_runs_no_code(tmp_path):
    folder = write_old(tmp_path / "0" / "1", [])
    (folder / LOG).write_bytes(pickle.dumps([{"step": Code(tmp_path / "written"), "return": 1}]))

    with pytest.raises(ValueError, match=r"no curve could be read .*train_logs.pkl: refused.*open"):
        read_xy(tmp_path, LOG, "step", "return")

    assert not (tmp_path / "written").exists()


def test_damaged_lines_of_a_journal_are_told(tmp_path):
    folder = write_new(tmp_path / "0" / "1", [(0, 0.5), (10, 1.5), (20, 2.5)])
    journal = folder / "eval.journal"
    journal.write_bytes(journal.read_bytes().replace(b"1.5", b"9.5"))

    with pytest.warns(UserWarning, match=r"eval.journal: 1 damaged lines"):
        table = read_xy(tmp_path, "eval", "step", "return")

    assert points(table) == [(0, 0.5), (20, 2.5)]


def test_errors_of_the_caller(tmp_path):
    with pytest.raises(
        ValueError, match=r"no curve could be read \(no run\); expected <ID>/config"
    ):
        read_xy(tmp_path, LOG, "step", "return")
    two_seeds(tmp_path)
    with pytest.raises(
        ValueError, match=r"no row has 'reward'; expected one of \['step', 'return'"
    ):
        read_xy(tmp_path, LOG, "step", "reward")
    with pytest.raises(KeyError, match="reward"):
        read_xy(tmp_path, LOG, "step", lambda row: row["reward"])
    with pytest.raises(ValueError, match="read_xy: point_step is 0; expected at least 1"):
        read_xy(tmp_path, LOG, "step", "return", point_step=0)
    with pytest.raises(ValueError, match="window_length must be less than or equal to the size"):
        read_xy(tmp_path, LOG, "step", "return", smooth_out=True)  # 51 points of 5
    with pytest.raises(FileNotFoundError):
        read_xy(tmp_path / "nowhere", LOG, "step", "return")
