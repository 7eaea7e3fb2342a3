import errno
import math
import os
import pickle
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pandas
import pytest
import yaml

from lagom.experiment import storage


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_failed_write_leaves_old_file_and_nothing_else(tmp_path, monkeypatch, call):
    path = tmp_path / "file"
    storage.write_bytes(path, b"old")

    def fail(*args):
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OSError, match="broken"):
        storage.write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_reader_keeps_the_old_content_while_a_file_is_replaced(tmp_path):
    path = tmp_path / "file"
    storage.write_bytes(path, b"old")
    with open(path, "rb") as reader:
        storage.write_bytes(path, b"a longer new content")
        assert reader.read() == b"old"
    assert path.read_bytes() == b"a longer new content"


def test_sync_waits_for_file_and_folder(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(
        os, "fsync", lambda file: synced.append(os.readlink(f"/proc/self/fd/{file}"))
    )
    storage.write_bytes(tmp_path / "a", b"", sync=False)
    assert synced == []
    storage.write_bytes(tmp_path / "b", b"")
    assert [os.path.dirname(synced[0]), synced[1]] == [str(tmp_path)] * 2


def test_json_round_trip(tmp_path):
    value = {"a": [1, 2.5, None, "ü"], "b": math.inf, "c": 2**127, "d": math.nan}
    storage.write_json(tmp_path / "x.json", value)
    back = storage.read_json(tmp_path / "x.json")
    assert math.isnan(back.pop("d"))
    assert back == {k: v for k, v in value.items() if k != "d"}


@pytest.mark.parametrize("data", [b"{", b"\xff\xfe", b"[" * 100_000, b""])
def test_damaged_json_is_named(tmp_path, data):
    (tmp_path / "x.json").write_bytes(data)
    with pytest.raises(ValueError, match=r"x\.json: not readable as JSON"):
        storage.read_json(tmp_path / "x.json")


def test_yaml_keeps_order_and_takes_numpy_scalars(tmp_path):
    path = tmp_path / "x.yml"
    storage.write_yaml(path, {"b": np.float64(0.5), "a": np.int64(2), "c": (1, "é")})
    assert path.read_text().splitlines()[:2] == ["b: 0.5", "a: 2"]
    assert storage.read_yaml(path) == {"b": 0.5, "a": 2, "c": [1, "é"]}


@pytest.mark.parametrize(
    "text", ["a: [1", "!!python/object/apply:os.getcwd []", "a: \x00", "[" * 5000]
)
def test_damaged_or_hostile_yaml_is_named(tmp_path, text):
    (tmp_path / "x.yml").write_text(text)
    with pytest.raises(ValueError, match=r"x\.yml: not readable as YAML"):
        storage.read_yaml(tmp_path / "x.yml")


@pytest.mark.parametrize("base", [yaml.SafeLoader, storage._Loader.__base__])
def test_yaml_is_the_same_for_either_loader(tmp_path, monkeypatch, base):
    """PyYAML may come without the loader in C."""
    monkeypatch.setattr(storage, "_Loader", type("Loader", (base,), dict(vars(storage._Loader))))
    paths = sorted((Path(__file__).parents[2] / "conf").rglob("*.yaml"))
    assert len(paths) > 5
    for path in paths:
        assert repr(storage.read_yaml(path)) == repr(yaml.safe_load(path.read_bytes()))
    path = tmp_path / "x.yml"
    for text in ("[" * 200 + "]" * 200, "[" + "[], " * 300 + "[]]"):
        path.write_text(text)
        assert repr(storage.read_yaml(path)) == text
    deep = [text * 100_000 for text in ("[", "{a: ", "- ", "? ")]  # ends a process without guard
    tags = ["!!python/name:os.system", "!!python/tuple [1]", "!mine 1", "!!bool x", "!!int ''"]
    for text in ["[" * 201 + "]" * 201, *deep, *tags]:
        path.write_text(text)
        with pytest.raises(ValueError, match=r"x\.yml: not readable as YAML"):
            storage.read_yaml(path)


def test_equal_values_give_equal_pickles(tmp_path):
    word, column = "return", [1.0, 2.0]
    shared = {word: column, "again": column, "words": [word, word]}
    apart = {"".join(["re", "turn"]): [1.0, 2.0], "again": [1.0, 2.0]}
    apart["words"] = ["".join(["re", "turn"]) for _ in range(2)]
    storage.write_pickle(tmp_path / "a.pkl", shared)
    storage.write_pickle(tmp_path / "b.pkl", apart)
    assert (tmp_path / "a.pkl").read_bytes() == (tmp_path / "b.pkl").read_bytes()


def test_pickles_are_read_by_pickle_and_pandas(tmp_path):
    logs = {"timestep": [32, 64], "return": [math.nan, 9.5], "note": [None, "x"]}
    storage.write_pickle(tmp_path / "logs.pkl", logs)
    with open(tmp_path / "logs.pkl", "rb") as file:
        assert repr(pickle.load(file)) == repr(logs)
    frame = pandas.DataFrame(pandas.read_pickle(tmp_path / "logs.pkl"))
    assert list(frame.columns) == ["timestep", "return", "note"]
    assert frame["return"].iloc[1] == 9.5
    assert repr(storage.read_pickle(tmp_path / "logs.pkl")) == repr(logs)


class _Runs:
    def __init__(self, *args):
        self.args = args

    def __reduce__(self):
        return os.system, self.args


@pytest.mark.parametrize("protocol", range(6))
def test_pickle_that_asks_for_code_is_refused_and_runs_nothing(tmp_path, protocol):
    canary = tmp_path / "canary"
    evil = {"return": [_Runs(f"touch {canary}")]}
    (tmp_path / "evil.pkl").write_bytes(pickle.dumps(evil, protocol))
    with pytest.raises(ValueError, match=r"evil\.pkl: refused.*asks for posix\.system"):
        storage.read_pickle(tmp_path / "evil.pkl")
    assert not canary.exists()


def test_pickle_of_numpy_is_refused_by_name(tmp_path):
    (tmp_path / "x.pkl").write_bytes(pickle.dumps({"a": np.float64(1.0)}))
    with pytest.raises(ValueError, match=r"asks for numpy\S*\.scalar"):
        storage.read_pickle(tmp_path / "x.pkl")


def test_damaged_pickles_are_refused_or_hold_plain_values(tmp_path):
    rng, path = random.Random(0), tmp_path / "x.pkl"
    storage.write_pickle(path, {"timestep": [1, 2, 3], "return": [0.5, None, "x"]})
    good, refused = path.read_bytes(), []
    for _ in range(300):
        data = bytearray(good[: rng.randrange(len(good))])
        if data:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        path.write_bytes(data)
        try:
            storage.read_pickle(path)
        except ValueError as error:
            refused.append(str(error))
    assert len(refused) > 250
    assert all(str(path) in message for message in refused)
    with pytest.raises(FileNotFoundError):
        storage.read_pickle(tmp_path / "missing.pkl")


HOLD = """
import sys
from lagom.experiment import storage
with storage.lock(sys.argv[1]):
    print("locked", flush=True)
    sys.stdin.read()
"""


def test_lock_is_for_one_process_and_dies_with_it(tmp_path):
    owner = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with owner:
        assert owner.stdout.readline() == b"locked\n"
        with (
            pytest.raises(BlockingIOError, match=f"in use by pid {owner.pid} on {os.uname()[1]}"),
            storage.lock(tmp_path),
        ):
            pass
        os.kill(owner.pid, signal.SIGKILL)
    with storage.lock(tmp_path):
        assert (tmp_path / ".lock").read_text() == f"pid {os.getpid()} on {os.uname()[1]}"
        with pytest.raises(BlockingIOError, match="in use"), storage.lock(tmp_path):
            pass
    with storage.lock(tmp_path):
        pass


def test_lock_can_be_waited_for(tmp_path):
    owner = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with owner:
        assert owner.stdout.readline() == b"locked\n"
        with storage.lock(tmp_path, name=".other"):
            pass
        threading.Timer(0.1, owner.stdin.close).start()
        with storage.lock(tmp_path, wait=True):
            assert (tmp_path / ".lock").read_text() == f"pid {os.getpid()} on {os.uname()[1]}"


def test_leftovers_of_killed_processes_are_removed(tmp_path):
    (tmp_path / "policy").mkdir()
    for name in (".status.json.77.tmp", "policy/.policy.json.77.tmp", "mine.tmp", ".lock"):
        (tmp_path / name).touch()
    storage.remove_leftovers(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [".lock", "mine.tmp", "policy"]
    assert os.listdir(tmp_path / "policy") == []


def test_folders_are_set_aside_one_after_the_other(tmp_path):
    for n in (1, 2):
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / str(n)).touch()
        assert storage.set_aside(tmp_path / "run") == tmp_path / f"old-{n}-run"
    assert not (tmp_path / "run").exists()
    assert (tmp_path / "old-1-run" / "1").exists()
    assert (tmp_path / "old-2-run" / "2").exists()


def test_storage_full_is_disk_quota_or_limit():
    full = [errno.ENOSPC, errno.EDQUOT, errno.EFBIG]
    assert all(storage.is_storage_full(OSError(code, "")) for code in full)
    assert not storage.is_storage_full(OSError(errno.EACCES, ""))
