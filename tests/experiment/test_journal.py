import os
import random
import time
import zlib

import pytest

from lagom.experiment import storage
from lagom.experiment.journal import Journal, read_journal, read_logs


def row(i):
    return {"iteration": i, "return": i / 3, "text": "\r\n-é", "returns": [1.0, None, i]}


def write_journal(path, num_row):
    journal = Journal(path)
    for i in range(num_row):
        journal.append(row(i))
    journal.close()


def test_rows_can_be_read_while_the_journal_is_open(tmp_path):
    journal = Journal(tmp_path / "j")
    assert read_journal(tmp_path / "j") == ([], 0)
    for i in range(3):
        journal.append(row(i))
        assert read_journal(tmp_path / "j") == ([row(n) for n in range(i + 1)], 0)
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
        assert read_journal(path) == ([row(i) for i in range(num_whole)], 0)


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
        rows, num_damaged = read_journal(path)
        number = data[:position].count(b"\n")  # of the row that was hit
        assert rows == [row(i) for i in range(40) if i != number]
        # An end that is missing at the very end looks like a row that is being written.
        assert num_damaged == (position != len(data) - 1)


def test_garbage_between_rows_is_counted(tmp_path):
    write_journal(tmp_path / "j", 2)
    first, second = (tmp_path / "j").read_bytes().splitlines(keepends=True)
    body = b'1 ["no", "row"]'
    foreign = b"%08x %s\n" % (zlib.crc32(body), body)
    (tmp_path / "j").write_bytes(first + b"\x00garbage\n" + b"\n" + foreign + second)
    assert read_journal(tmp_path / "j") == ([row(0), row(1)], 2)


def test_reopened_journal_is_cut_back_and_goes_on(tmp_path):
    path = tmp_path / "j"
    write_journal(path, 5)
    whole = path.read_bytes()
    with open(path, "ab") as file:
        file.write(b'0123abcd 5 {"unfini')
    journal = Journal(path, num_row=3)
    assert read_journal(path) == ([row(i) for i in range(3)], 0)
    for i in (3, 4):
        journal.append(row(i))
    journal.close()
    assert path.read_bytes() == whole
    Journal(path).close()
    assert path.read_bytes() == b""


def test_journal_with_too_few_good_rows_is_refused(tmp_path):
    path = tmp_path / "j"
    write_journal(path, 3)
    with pytest.raises(ValueError, match="holds 3 rows; expected 4"):
        Journal(path, num_row=4)
    data = bytearray(path.read_bytes())
    data[data.index(b"\n") + 12] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match="row 1 is damaged; expected 3 good rows"):
        Journal(path, num_row=3)


def test_short_write_is_taken_back_and_says_that_the_disk_is_full(tmp_path, monkeypatch):
    path = tmp_path / "j"
    journal = Journal(path)
    journal.append(row(0))
    with monkeypatch.context() as patch:
        write = os.write
        patch.setattr(os, "write", lambda file, data: write(file, data[: len(data) // 2]))
        with pytest.raises(OSError, match="No space left") as caught:
            journal.append(row(1))
    assert storage.is_storage_full(caught.value)
    assert read_journal(path) == ([row(0)], 0)
    journal.append(row(1))
    journal.close()
    assert read_journal(path) == ([row(0), row(1)], 0)


def test_row_that_is_not_plain_leaves_no_trace(tmp_path):
    journal = Journal(tmp_path / "j")
    with pytest.raises(TypeError, match="not JSON serializable"):
        journal.append({"f": print})
    journal.append(row(0))
    journal.close()
    assert read_journal(tmp_path / "j") == ([row(0)], 0)


def test_journal_syncs_every_five_seconds(tmp_path, monkeypatch):
    now, synced = [100.0], []
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(now[0]))
    journal = Journal(tmp_path / "j")
    for now[0] in (101.0, 104.9, 105.1, 106.0, 110.0, 110.2):
        journal.append(row(0))
    journal.close()
    assert synced == [105.1, 110.2]


def test_logs_come_from_the_journal_else_from_the_pickle(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"train\.journal: no such file"):
        read_logs(tmp_path, "train")
    storage.write_pickle(tmp_path / "train_logs.pkl", {"a": [1, 2]})
    assert read_logs(tmp_path, "train") == ({"a": [1, 2]}, 0)
    journal = Journal(tmp_path / "train.journal")
    journal.append({"a": 1})
    journal.append({"a": 3, "b": 4})
    journal.close()
    assert read_logs(tmp_path, "train") == ({"a": [1, 3], "b": [None, 4]}, 0)


@pytest.mark.parametrize("logs", [[1], {1: [2]}, {"a": 1}, {"a": [1], "b": []}])
def test_pickle_that_is_no_log_is_refused(tmp_path, logs):
    storage.write_pickle(tmp_path / "eval_logs.pkl", logs)
    with pytest.raises(ValueError, match=r"eval_logs\.pkl: not a log"):
        read_logs(tmp_path, "eval")


@pytest.mark.parametrize("body", [b"one {}", b"1", b"1 {", b"1 " + b"[" * 100_000])
def test_checksum_alone_makes_no_row(tmp_path, body):
    write_journal(tmp_path / "j", 1)
    with (tmp_path / "j").open("ab") as file:
        file.write(b"%08x %s\n" % (zlib.crc32(body), body))
    assert read_journal(tmp_path / "j") == ([row(0)], 1)
