import copy
import pickle
import threading

import numpy as np
import pytest

from lagom.utils import CloudpickleWrapper, pickle_dump, pickle_load, yaml_dump, yaml_load


class Holder:
    def __init__(self, f):
        self.f = f


def double(x, plus=0):
    """Twice."""
    return x * 2 + plus


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("logs", "logs.pkl"),
        ("logs.pkl", "logs.pkl"),
        (".tmp_pickle", ".tmp_pickle.pkl"),
        ("logs.v1", "logs.v1.pkl"),
    ],
)
def test_pickles_get_their_extension(tmp_path, name, expected):
    pickle_dump({"a": [1, 2]}, tmp_path / name)
    pickle_dump({"a": [1, 2]}, str(tmp_path / "other"), ext=".bin")

    assert names(tmp_path) == sorted([expected, "other.bin"])
    assert pickle_load(tmp_path / expected) == pickle_load(tmp_path / "other.bin") == {"a": [1, 2]}


def test_pickles_of_what_has_no_name(tmp_path):
    pickle_dump(Holder(lambda x: x + 1), tmp_path / "f")

    assert pickle_load(str(tmp_path / "f.pkl")).f(2) == 3
    data = (tmp_path / "f.pkl").read_bytes()
    assert data[:2] == b"\x80" + bytes([pickle.HIGHEST_PROTOCOL])


def test_a_failed_write_leaves_the_old_file(tmp_path):
    pickle_dump(1, tmp_path / "x")
    with pytest.raises(TypeError, match="lock"):
        pickle_dump(threading.Lock(), tmp_path / "x")
    with pytest.raises(OSError, match="name too long"):
        pickle_dump(2, tmp_path / ("x" * 300))

    assert names(tmp_path) == ["x.pkl"]
    assert pickle_load(tmp_path / "x.pkl") == 1


def test_damaged_pickles_are_named(tmp_path):
    pickle_dump(list(range(100)), tmp_path / "x")
    data = (tmp_path / "x.pkl").read_bytes()
    (tmp_path / "x.pkl").write_bytes(data[:-10])

    with pytest.raises((EOFError, pickle.UnpicklingError)) as caught:
        pickle_load(tmp_path / "x.pkl")
    assert caught.value.__notes__ == [f"pickle_load: while reading {str(tmp_path / 'x.pkl')!r}"]


@pytest.mark.parametrize(
    ("name", "ext", "expected"),
    [
        ("items", ".yaml", "items.yaml"),
        ("items.yaml", ".yaml", "items.yaml"),
        ("items.yml", ".yaml", "items.yml"),
        ("items", ".yml", "items.yml"),
        ("env.v1", ".yaml", "env.v1.yaml"),
        ("items", ".txt", "items.txt"),
    ],
)
def test_yaml_gets_its_extension(tmp_path, name, ext, expected):
    yaml_dump({"a": 1}, tmp_path / name, ext)

    assert names(tmp_path) == [expected]
    assert yaml_load(tmp_path / expected) == {"a": 1}


def test_yaml_is_plain_and_in_order(tmp_path):
    x = {
        "z": np.float32(0.5),
        "a": (1, np.int64(2)),
        "m": {"yes": np.bool_(True), "none": None, "nan": float("inf"), "ü": "ö"},
    }
    yaml_dump(x, tmp_path / "x")

    read = yaml_load(str(tmp_path / "x.yaml"))
    assert read == {
        "z": 0.5,
        "a": [1, 2],
        "m": {"yes": True, "none": None, "nan": float("inf"), "ü": "ö"},
    }
    assert list(read) == ["z", "a", "m"]
    assert [type(v) for v in (read["z"], read["a"][1], read["m"]["yes"])] == [float, int, bool]
    assert "ü: ö" in (tmp_path / "x.yaml").read_text()


def test_yaml_takes_plain_values_only(tmp_path):
    with pytest.raises(TypeError, match=r"yaml_dump: cannot write array\(\[1\]\); expected plain"):
        yaml_dump({"a": np.array([1])}, tmp_path / "x")

    assert names(tmp_path) == []


def test_yaml_runs_nothing(tmp_path):
    (tmp_path / "x.yml").write_text("!!python/object/apply:os.mkdir [made]")

    with pytest.raises(ValueError, match=r"x\.yml: not readable as YAML"):
        yaml_load(tmp_path / "x.yml")


def test_wrapper_is_what_it_wraps():
    w = CloudpickleWrapper(double)

    assert w(2, plus=1) == 5
    assert (w.__name__, w.x) == ("double", double)
    assert repr(w).startswith("CloudpickleWrapper(<function double")
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = w.nothing


def test_wrapper_travels():
    w = pickle.loads(pickle.dumps(CloudpickleWrapper(Holder(lambda x: x * 2))))

    assert type(w) is CloudpickleWrapper
    assert w.f(4) == 8
    assert w.x.f(4) == 8


def test_wrapper_copies():
    w = CloudpickleWrapper(np.arange(3))  # arrays bring a __deepcopy__ of their own
    for make in (copy.copy, copy.deepcopy):
        other = make(w)
        assert type(other) is CloudpickleWrapper
        assert other.tolist() == [0, 1, 2]
        assert other.x is not w.x


def test_an_unfinished_wrapper_does_not_ask_itself_for_ever():
    with pytest.raises(AttributeError, match="'CloudpickleWrapper' object has no attribute 'x'"):
        _ = CloudpickleWrapper.__new__(CloudpickleWrapper).anything
