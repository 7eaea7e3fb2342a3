import json
import math
import zlib

import numpy as np
import pytest

from lagom.experiment.journal import Journal, read_logs
from lagom.vis.series import derive, numbers, read_columns

ROWS = [
    {"timestep": 10, "return": 1.5, "words": "a b", "returns": [1, -2.5e-7], "on": True},
    {"timestep": 20, "return": -3e-05, "words": "{}", "returns": [], "on": False},
    {"timestep": 30, "return": None, "words": "", "returns": [0.1], "on": False},
]


def write(folder, rows):
    journal = Journal(folder / "eval.journal")
    for row in rows:
        journal.append(row)
    journal.close()
    return folder / "eval.journal"


def line(number, text):
    body = f"{number} {text}".encode()
    return b"%08x %s\n" % (zlib.crc32(body), body)


def both(folder, names=("timestep", "return")):
    """What the fast reader and the complete one find in the columns."""
    fast, num_damaged = read_columns(folder, "eval", names)
    slow, num_slow = read_logs(folder, "eval")
    assert num_damaged == num_slow
    return [fast[name] for name in names], [numbers(slow[name]) for name in names]


def test_columns_are_those_of_the_complete_reader(tmp_path):
    rng = np.random.default_rng(0)
    values = [*(rng.normal(size=200) * 10.0 ** rng.integers(-300, 300, 200)), -0.0, 5e-324, 1e22]
    rows = [
        {"return": v, "loss": [v, 1], "timestep": 7 * i} for i, v in enumerate(map(float, values))
    ]
    write(tmp_path, rows)

    fast, slow = both(tmp_path)

    assert all(isinstance(column, np.ndarray) for column in fast)
    np.testing.assert_array_equal(fast, slow)
    assert fast[1].tolist() == [float(v) for v in values]


def test_what_is_no_number(tmp_path):
    values = [1, None, math.nan, math.inf, -math.inf, 2.5]
    write(tmp_path, [{"timestep": i, "return": v} for i, v in enumerate(values)])

    (_, column), slow = both(tmp_path)

    np.testing.assert_array_equal(column, [1, np.nan, np.nan, np.inf, -np.inf, 2.5])
    np.testing.assert_array_equal(column, slow[1])


def test_no_names_mean_all_columns(tmp_path):
    write(tmp_path, [{"timestep": 1, "a_seconds": 2.0}, {"timestep": 2, "a_seconds": 3.0}])

    columns, _ = read_columns(tmp_path, "eval")

    assert {key: column.tolist() for key, column in columns.items()} == {
        "timestep": [1, 2],
        "a_seconds": [2, 3],
    }


def test_rows_of_the_usual_form_are_read_fast(tmp_path):
    write(tmp_path, [{k: v for k, v in row.items() if k != "words"} for row in ROWS])

    columns, _ = read_columns(tmp_path, "eval", ["return", "timestep"])

    assert list(columns) == ["timestep", "return"]
    assert isinstance(columns["return"], np.ndarray)


UNUSUAL = {
    "text with brackets": line(1, '{"timestep": 2, "return": 4.0, "words": "{"}'),
    "text with escapes": line(1, json.dumps({"timestep": 2, "return": 4.0, "words": '", "'})),
    "a key inside a text": line(
        1, json.dumps({"timestep": 2, "return": 4.0, "words": '"return": 9'})
    ),
    "another order": line(1, '{"return": 4.0, "timestep": 2, "words": "x"}'),
    "another key": line(1, '{"timestep": 2, "return": 4.0, "words": "x", "more": 1}'),
    "a key less": line(1, '{"timestep": 2, "return": 4.0}'),
    "a truth": line(1, '{"timestep": 2, "return": true, "words": "x"}'),
    "a word": line(1, '{"timestep": 2, "return": "4", "words": "x"}'),
    "a key twice inside": line(1, '{"timestep": 2, "return": 4.0, "words": {"return": 9}}'),
    "no number": line(1, '{"timestep": 2, "return": 4.0.1, "words": "x"}'),
    "a cut number": line(1, '{"timestep": 2, "return": -, "words": "x"}'),
    "nested before": line(1, '{"words": {"return": 9}, "timestep": 2, "return": 4.0}'),
    "no row": line(1, "[2]"),
    "a gap": line(2, '{"timestep": 2, "return": 4.0, "words": "x"}'),
    "a repeated row": line(0, '{"timestep": 2, "return": 4.0, "words": "x"}'),
    "a long number": line("1" * 5000, '{"timestep": 2, "return": 4.0, "words": "x"}'),
    "a wrong checksum": line(1, '{"timestep": 2, "return": 4.0, "words": "x"}').replace(
        b"4.0", b"5.0"
    ),
    "a checksum in capitals": b"FFFFFFFF 1 {}\n",
    "two rows in a line": line(1, '{"timestep": 2, "return": 4.0, "words": "x"}')[:-1]
    + line(2, '{"timestep": 3, "return": 5.0, "words": "x"}'),
    "an empty line": b"\n",
    "a lost end": line(1, '{"timestep": 2, "return": 4.0, "words": "x"}')[:-1],
}


@pytest.mark.parametrize("name", UNUSUAL)
@pytest.mark.parametrize("place", ["last", "middle", "first"])
def test_unusual_lines_mean_the_same_to_both(tmp_path, name, place):
    first = line(0, '{"timestep": 1, "return": 3.0, "words": "x"}')
    third = line(2, '{"timestep": 3, "return": 6.0, "words": "x"}')
    lines = {
        "last": [first, UNUSUAL[name]],
        "middle": [first, UNUSUAL[name], third],
        "first": [UNUSUAL[name], first],
    }
    (tmp_path / "eval.journal").write_bytes(b"".join(lines[place]))

    fast, slow = both(tmp_path)

    np.testing.assert_array_equal([numbers(column) for column in fast], slow)


def test_each_changed_byte_is_found(tmp_path):
    path = write(tmp_path, [{"timestep": 1, "return": 2.5}, {"timestep": 2, "return": 3.5}])
    content = path.read_bytes()

    for i in range(len(content)):
        path.write_bytes(content[:i] + bytes([content[i] ^ 1]) + content[i + 1 :])
        columns, num_damaged = read_columns(tmp_path, "eval", ["timestep", "return"])
        slow, num_slow = read_logs(tmp_path, "eval")
        assert {k: list(v) for k, v in columns.items()} == slow
        assert num_damaged == num_slow


@pytest.mark.parametrize("content", [b"", b"\n", b"00000000 0 {", line(0, "{}"), line(0, "7")])
def test_journals_without_rows(tmp_path, content):
    (tmp_path / "eval.journal").write_bytes(content)

    assert read_columns(tmp_path, "eval", ["timestep"]) == read_logs(tmp_path, "eval")


def test_without_a_log(tmp_path):
    with pytest.raises(FileNotFoundError, match="the job has logged nothing yet"):
        read_columns(tmp_path, "eval", ["timestep"])


def test_a_missing_column_brings_all_others(tmp_path):
    write(tmp_path, ROWS)

    columns, _ = read_columns(tmp_path, "eval", ["timestep", "retrun"])

    assert list(columns) == ["timestep", "return", "words", "returns", "on"]


# Clocks

TIMING = {"timestep": [10, 20, 30], "learn_seconds": [1, 2, 3], "eval_seconds": [0.5, 0, 0.5]}
TRAIN = {"timestep": [10, 20, 30], "episode": [3, 5, 9], "return": [0, 0, 0]}


def test_clocks_at_rows_of_other_logs():
    steps = np.array([0, 10, 15, 20, 30, 31, np.nan])

    seconds, episodes = derive("seconds", steps, TIMING), derive("episode", steps, TRAIN)

    np.testing.assert_array_equal(seconds, [0, 1.5, 1.5, 3.5, 7, np.nan, np.nan])
    np.testing.assert_array_equal(episodes, [0, 3, 3, 5, 9, np.nan, np.nan])


@pytest.mark.parametrize(
    "log",
    [
        {},
        {"timestep": []},
        {"timestep": [10, 20]},
        {"timestep": [None, "x"], "learn_seconds": [1, 2]},
        {"learn_seconds": [1, 2]},
    ],
)
def test_logs_without_a_clock(log):
    assert np.isnan(derive("seconds", np.array([10.0, 20.0]), log)).all()
    assert np.isnan(derive("episode", np.array([10.0, 20.0]), log)).all()


def test_clocks_with_gaps_and_disorder():
    log = {"timestep": [20, None, 10], "episode": [5, 4, 3]}

    np.testing.assert_array_equal(derive("episode", np.array([10, 20]), log), [3, 5])


def test_numbers():
    nan = np.nan
    np.testing.assert_array_equal(numbers([1, 2.5, True]), [1.0, 2.5, 1.0])
    np.testing.assert_array_equal(
        numbers([1, None, "x", [1, 2], {}, 10**400]), [1, nan, nan, nan, nan, nan]
    )
    np.testing.assert_array_equal(numbers([[1, 2], [3, 4]]), [nan, nan])
    assert numbers([]).shape == (0,)
