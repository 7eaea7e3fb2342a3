import numpy as np
import pytest

from lagom.data.rows import Rows
from lagom.experiment import checkpoint, row_files
from lagom.experiment.row_files import RowFiles


@pytest.fixture(autouse=True)
def small_segments(monkeypatch):
    monkeypatch.setattr(row_files, "_SEGMENT", 4 * 3)  # four rows of three bytes


def table(start, stop):
    """Rows ``start ... stop - 1``: each holds its number."""
    return np.repeat(np.arange(start, stop)[:, None], 3, 1).astype(np.uint8)


def rows_up_to(count, capacity=11):
    rows = Rows(np.zeros((capacity, 3), np.uint8))
    rows.extend(table(0, count))
    return rows


def files(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("counts", [[0], [3], [4], [10], [3, 4, 9], [7, 7, 8], [5, 14, 23, 40]])
def test_what_was_written_is_read(tmp_path, counts):
    writer = RowFiles(tmp_path)
    for count in counts:
        entry = writer.write("a", rows_up_to(count))
        back = RowFiles(tmp_path).read("a", entry)

        assert (back.count, back.capacity) == (count, 11)
        np.testing.assert_array_equal(back.since(0), table(max(0, count - 10), count))


def test_files_do_not_depend_on_when_they_were_written(tmp_path):
    for name, counts in {"often": range(1, 31), "seldom": [9, 18, 27, 30]}.items():
        writer = RowFiles(tmp_path / name)
        for count in counts:
            entry = writer.write("a", rows_up_to(count))
        writer.remove_all_but([{"a": entry}])

    assert files(tmp_path / "often") == files(tmp_path / "seldom")
    assert set(files(tmp_path / "often")) == {"a/5-20", "a/6-24", "a/7-28"}


def test_only_new_rows_are_written(tmp_path, monkeypatch):
    written = []
    original = row_files.storage.append_bytes
    monkeypatch.setattr(
        row_files.storage,
        "append_bytes",
        lambda path, data, offset: written.append(len(data)) or original(path, data, offset),
    )
    writer = RowFiles(tmp_path)
    for count in (6, 7, 7, 10):
        writer.write("a", rows_up_to(count))

    assert written == [12, 6, 3, 3, 6]


def test_more_rows_than_the_ring_holds_between_two_saves(tmp_path):
    writer = RowFiles(tmp_path)
    first = writer.write("a", rows_up_to(5))
    second = writer.write("a", rows_up_to(19))  # rows 5 to 8 were never seen

    np.testing.assert_array_equal(RowFiles(tmp_path).read("a", second).since(0), table(9, 19))
    np.testing.assert_array_equal(RowFiles(tmp_path).read("a", first).since(0), table(0, 5))


def test_bytes_of_an_unfinished_save_are_overwritten(tmp_path):
    writer = RowFiles(tmp_path)
    entry = writer.write("a", rows_up_to(6))
    saved = files(tmp_path)
    writer.write("a", rows_up_to(9))  # its manifest was never written

    resumed = RowFiles(tmp_path)
    assert resumed.read("a", entry).count == 6
    other = rows_up_to(6)
    other.extend(table(100, 101))
    entry = resumed.write("a", other)

    np.testing.assert_array_equal(
        RowFiles(tmp_path).read("a", entry).since(0), [*table(0, 6), *table(100, 101)]
    )
    assert files(tmp_path)["a/0-0"] == saved["a/0-0"]


@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_damage_is_found(tmp_path, damage):
    entry = RowFiles(tmp_path).write("a", rows_up_to(6))
    path = tmp_path / "a" / "1-4"
    data = path.read_bytes()
    if damage == "remove":
        path.unlink()
    else:
        path.write_bytes(data[:-1] if damage == "cut" else bytes([data[0] ^ 1]) + data[1:])

    with pytest.raises((ValueError, OSError), match="1-4"):
        RowFiles(tmp_path).read("a", entry)


def test_names_lead_nowhere_else(tmp_path):
    entry = RowFiles(tmp_path).write("a", rows_up_to(1))
    with pytest.raises(ValueError, match=r"no table can have the name '\.\./a'"):
        RowFiles(tmp_path / "b").read("../a", entry)


def test_checkpoints_share_the_rows_and_remove_what_none_needs(tmp_path):
    for count in (5, 16, 21, 40):
        state = {"replay": {"rows": [rows_up_to(count)], "n": count}}
        checkpoint.write_checkpoint(tmp_path, count, state, keep=2)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["21", "40", "rows"]
    assert min(int(p.name.split("-")[0]) for p in tmp_path.glob("rows/*/*")) == 11 // 4

    back, complaints = checkpoint.read_checkpoint(tmp_path)
    assert complaints == []
    assert back["replay"]["n"] == back["replay"]["rows"][0].count == 40
    np.testing.assert_array_equal(back["replay"]["rows"][0].since(0), table(30, 40))


def test_a_checkpoint_with_damaged_rows_is_passed_over_and_made_again(tmp_path):
    known = RowFiles(tmp_path / "rows")
    for count in (6, 10):
        checkpoint.write_checkpoint(tmp_path, count, {"rows": rows_up_to(count)}, 2, known)
    (path,) = tmp_path.glob("rows/*/2-8")
    path.write_bytes(b"\xff" * 6)

    known = RowFiles(tmp_path / "rows")
    back, complaints = checkpoint.read_checkpoint(tmp_path, known)
    assert back["rows"].count == 6
    assert "2-8: damaged (checksum differs)" in complaints[0]
    checkpoint.write_checkpoint(tmp_path, 10, {"rows": rows_up_to(10)}, 2, known)

    back, complaints = checkpoint.read_checkpoint(tmp_path)
    assert complaints == []
    np.testing.assert_array_equal(back["rows"].since(0), table(0, 10))


def test_without_rows_there_is_no_folder_for_them(tmp_path):
    checkpoint.write_checkpoint(tmp_path, 1, {"n": 1}, keep=1)
    assert [p.name for p in tmp_path.iterdir()] == ["1"]
