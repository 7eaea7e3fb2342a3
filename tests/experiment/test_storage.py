import errno
import math
import os
import pickle
import random
import signal
import subprocess
import sys

import numpy as np
import pandas
import pytest

from lagom.experiment import storage

# Whole files --------------------------------------------------------------------------------------


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


# Journals -----------------------------------------------------------------------------------------


def row(i):
    return {"iteration": i, "return": i / 3, "text": "\r\n-é", "returns": [1.0, None, i]}


def write_journal(path, num_row):
    journal = storage.Journal(path)
    for i in range(num_row):
        journal.append(row(i))
    journal.close()


def test_rows_can_be_read_while_the_journal_is_open(tmp_path):
    journal = storage.Journal(tmp_path / "j")
    assert storage.read_journal(tmp_path / "j") == ([], 0)
    for i in range(3):
        journal.append(row(i))
        assert storage.read_journal(tmp_path / "j") == ([row(n) for n in range(i + 1)], 0)
    journal.close()
    journal.close()


def test_truncated_journal_costs_the_rows_behind_the_cut_only(tmp_path):
    path = tmp_path / "j"
    write_journal(path, 12)
    data = path.read_bytes()
    ends = [i + 1 for i, byte in enumerate(data) if byte == ord("\n")]
    for size in range(len(data)):
        path.write_bytes(data[:size])
        num_whole = sum(end <= size for end in ends)
        assert storage.read_journal(path) == ([row(i) for i in range(num_whole)], 0)


def test_flipped_bits_cost_one_row_each_and_never_give_a_wrong_one(tmp_path):
    path, rng = tmp_path / "j", random.Random(1)
    write_journal(path, 40)
    data = path.read_bytes()
    positions = [rng.randrange(len(data)) for _ in range(600)]
    positions += [i for i, byte in enumerate(data) if byte == ord("\n")]
    for position in positions:
        damaged = bytearray(data)
        damaged[position] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        rows, num_damaged = storage.read_journal(path)
        number = data[:position].count(b"\n")  # of the row that was hit
        assert rows == [row(i) for i in range(40) if i != number]
        # An end that is missing at the very end looks like a row that is being written.
        assert num_damaged == (position != len(data) - 1)


def test_garbage_between_rows_is_counted(tmp_path):
    write_journal(tmp_path / "j", 2)
    first, second = (tmp_path / "j").read_bytes().splitlines(keepends=True)
    body = b'1 ["no", "row"]'
    foreign = b"%08x %s\n" % (storage.zlib.crc32(body), body)
    (tmp_path / "j").write_bytes(first + b"\x00garbage\n" + b"\n" + foreign + second)
    assert storage.read_journal(tmp_path / "j") == ([row(0), row(1)], 2)


def test_reopened_journal_is_cut_back_and_goes_on(tmp_path):
    path = tmp_path / "j"
    write_journal(path, 5)
    whole = path.read_bytes()
    with open(path, "ab") as file:
        file.write(b'0123abcd 5 {"unfini')
    journal = storage.Journal(path, num_row=3)
    assert storage.read_journal(path) == ([row(i) for i in range(3)], 0)
    for i in (3, 4):
        journal.append(row(i))
    journal.close()
    assert path.read_bytes() == whole
    storage.Journal(path).close()
    assert path.read_bytes() == b""


def test_journal_with_too_few_good_rows_is_refused(tmp_path):
    path = tmp_path / "j"
    write_journal(path, 3)
    with pytest.raises(ValueError, match="holds 3 rows; expected 4"):
        storage.Journal(path, num_row=4)
    data = bytearray(path.read_bytes())
    data[data.index(b"\n") + 12] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match="row 1 is damaged; expected 3 good rows"):
        storage.Journal(path, num_row=3)


def test_short_write_is_taken_back_and_says_that_the_disk_is_full(tmp_path, monkeypatch):
    path = tmp_path / "j"
    journal = storage.Journal(path)
    journal.append(row(0))
    with monkeypatch.context() as patch:
        write = os.write
        patch.setattr(os, "write", lambda file, data: write(file, data[: len(data) // 2]))
        with pytest.raises(OSError, match="No space left") as caught:
            journal.append(row(1))
    assert storage.is_storage_full(caught.value)
    assert storage.read_journal(path) == ([row(0)], 0)
    journal.append(row(1))
    journal.close()
    assert storage.read_journal(path) == ([row(0), row(1)], 0)


def test_row_that_is_not_plain_leaves_no_trace(tmp_path):
    journal = storage.Journal(tmp_path / "j")
    with pytest.raises(TypeError, match="not JSON serializable"):
        journal.append({"f": print})
    journal.append(row(0))
    journal.close()
    assert storage.read_journal(tmp_path / "j") == ([row(0)], 0)


def test_journal_syncs_every_five_seconds(tmp_path, monkeypatch):
    now, synced = [100.0], []
    monkeypatch.setattr(storage.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(now[0]))
    journal = storage.Journal(tmp_path / "j")
    for now[0] in (101.0, 104.9, 105.1, 106.0, 110.0, 110.2):
        journal.append(row(0))
    journal.close()
    assert synced == [105.1, 110.2]


def test_logs_come_from_the_journal_else_from_the_pickle(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"train\.journal: no such file"):
        storage.read_logs(tmp_path, "train")
    storage.write_pickle(tmp_path / "train_logs.pkl", {"a": [1, 2]})
    assert storage.read_logs(tmp_path, "train") == ({"a": [1, 2]}, 0)
    journal = storage.Journal(tmp_path / "train.journal")
    journal.append({"a": 1})
    journal.append({"a": 3, "b": 4})
    journal.close()
    assert storage.read_logs(tmp_path, "train") == ({"a": [1, 3], "b": [None, 4]}, 0)


@pytest.mark.parametrize("logs", [[1], {1: [2]}, {"a": 1}, {"a": [1], "b": []}])
def test_pickle_that_is_no_log_is_refused(tmp_path, logs):
    storage.write_pickle(tmp_path / "eval_logs.pkl", logs)
    with pytest.raises(ValueError, match=r"eval_logs\.pkl: not a log"):
        storage.read_logs(tmp_path, "eval")


# Folders ------------------------------------------------------------------------------------------

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
