import math

import numpy as np
import pytest

from lagom.experiment import storage
from lagom.experiment.journal import read_journal
from lagom.experiment.logs import JobLogs


def test_numpy_numbers_are_logged_as_numbers(tmp_path):
    with JobLogs(tmp_path) as logs:
        logs.write("train", {"a": np.float64(0.5), "b": np.float32(2), "n": np.int64(3), "x": None})
        logs.save()
    assert storage.read_pickle(tmp_path / "train_logs.pkl") == {
        "a": [0.5], "b": [2.0], "n": [3], "x": [None]
    }  # fmt: skip
    assert read_journal(tmp_path / "train.journal")[0] == [{"a": 0.5, "b": 2.0, "n": 3, "x": None}]


def test_rows_have_the_same_columns(tmp_path):
    with JobLogs(tmp_path) as logs:
        logs.write("train", {"a": 1, "wait_seconds": 2})
        with pytest.raises(KeyError, match=r"train log: got columns \['b'\]; expected \['a'\]"):
            logs.write("train", {"b": 1})


def test_latest_return_is_of_the_evaluation_if_there_is_one(tmp_path):
    with JobLogs(tmp_path) as logs:
        assert logs.latest() == {}
        logs.write("train", {"return": math.nan})
        assert logs.latest() == {}
        logs.write("train", {"return": 3.0})
        assert logs.latest() == {"return": 3.0}
        logs.write("eval", {"return": 5.0})
        assert logs.latest() == {"return": 5.0}
