import pickle

import numpy as np
import pytest

from lagom import Logger


@pytest.fixture
def logger():
    """Three iterations of the documentation's example."""
    logger = Logger()
    for iteration, train_loss in ((1, 0.12), (2, 0.11), (3, 0.09)):
        logger("iteration", iteration)
        logger("train_loss", train_loss)
    return logger


def lines(capsys):
    return [line for line in capsys.readouterr().out.splitlines() if line]


def test_columns(logger):
    assert logger.logs == {"iteration": [1, 2, 3], "train_loss": [0.12, 0.11, 0.09]}
    assert [*logger.logs] == ["iteration", "train_loss"]
    assert repr(logger) == "{'iteration': [1, 2, 3], 'train_loss': [0.12, 0.11, 0.09]}"


@pytest.mark.parametrize(
    ("kwargs", "expected"),
    [
        ({}, ["Iteration: [1, 2, 3]", "Train Loss: [0.12, 0.11, 0.09]"]),
        ({"indent": 1}, ["\tIteration: [1, 2, 3]", "\tTrain Loss: [0.12, 0.11, 0.09]"]),
        ({"keys": ["iteration"]}, ["Iteration: [1, 2, 3]"]),
        ({"keys": ["train_loss", "iteration"], "index": 1}, ["Train Loss: 0.11", "Iteration: 2"]),
        ({"keys": []}, []),
        ({"index": 0}, ["Iteration: 1", "Train Loss: 0.12"]),
        ({"index": [0, 2]}, ["Iteration: [1, 3]", "Train Loss: [0.12, 0.09]"]),
        ({"index": [0]}, ["Iteration: [1]", "Train Loss: [0.12]"]),
        ({"index": -1}, ["Iteration: 3", "Train Loss: 0.09"]),
    ],
)
def test_dump(logger, capsys, kwargs, expected):
    logger.dump(**kwargs)

    assert lines(capsys) == expected


def test_borders(logger, capsys):
    logger.dump(keys=["iteration"], border="-----")
    assert capsys.readouterr().out == "-----\nIteration: [1, 2, 3]\n-----\n"

    logger.dump(keys=["iteration"])
    assert capsys.readouterr().out == "\nIteration: [1, 2, 3]\n\n"


@pytest.mark.parametrize(
    ("key", "title"),
    [("V", "V"), ("approx_kl", "Approx Kl"), ("num_seconds", "Num Seconds"), (" Q1 ", "Q1")],
)
def test_titles(capsys, key, title):
    logger = Logger()
    logger(key, 0)
    logger.dump()

    assert lines(capsys) == [f"{title}: [0]"]


def test_keys_are_a_list(logger):
    with pytest.raises(
        TypeError, match=r"Logger.dump: keys is 'iteration'; expected a list of keys"
    ):
        logger.dump(keys="iteration")


def test_an_index_that_a_key_does_not_have(logger, capsys):
    logger("rare", 7)

    logger.dump(index=-1)
    assert lines(capsys) == ["Iteration: 3", "Train Loss: 0.09", "Rare: 7"]
    for index in (2, [0, 2]):
        with pytest.raises(
            IndexError, match=r"Logger.dump: index is .* and rare has 1 values; exp"
        ):
            logger.dump(index=index)
    assert lines(capsys) == []  # all or nothing


def test_save_is_a_plain_pickle_of_the_dictionary(logger, tmp_path):
    logger.save(tmp_path / "logger_file")
    logs = pickle.loads((tmp_path / "logger_file.pkl").read_bytes())

    assert type(logs) is dict
    assert logs == logger.logs
    assert [*logs] == [*logger.logs]
    logger("iteration", 4)
    logger.save(tmp_path / "logger_file")
    assert len(pickle.loads((tmp_path / "logger_file.pkl").read_bytes())["iteration"]) == 4


def test_clear(logger):
    logger.clear()

    assert len(logger.logs) == 0


def test_state(logger):
    other, state = Logger(), logger.state_dict()
    logger("iteration", 4)
    other.load_state_dict(state)
    other("train_loss", 0.08)

    assert state == {"logs": {"iteration": [1, 2, 3], "train_loss": [0.12, 0.11, 0.09]}}
    assert other.logs == {"iteration": [1, 2, 3], "train_loss": [0.12, 0.11, 0.09, 0.08]}


def test_numbers_of_numpy_become_those_of_python():
    logger, array = Logger(), np.arange(2.0)
    for value in (np.float32(0.5), np.int64(3), np.bool_(True), np.array(2.5), array):
        logger("x", value)

    assert [type(value) for value in logger.logs["x"]] == [float, int, bool, float, np.ndarray]
    assert logger.logs["x"][:4] == [0.5, 3, True, 2.5]
    assert logger.logs["x"][4] is array
