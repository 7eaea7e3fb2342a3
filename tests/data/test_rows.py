import numpy as np
import pytest

from lagom.data import Rows


def numbered(start, stop, width=3):
    """Rows that hold their number."""
    return np.repeat(np.arange(start, stop, dtype=np.uint8)[:, None], width, axis=1)


def test_new_rows_are_empty():
    rows = Rows(np.zeros((4, 3), np.uint8))

    assert (rows.capacity, rows.width, rows.count, rows.oldest) == (4, 3, 0, 0)
    assert rows.since(0).shape == (0, 3)


def test_rows_lie_at_their_number_modulo_the_capacity():
    ring = np.zeros((4, 3), np.uint8)
    Rows(ring, 4).extend(numbered(4, 6))

    assert ring[:, 0].tolist() == [4, 5, 0, 0]


@pytest.mark.parametrize("steps", [[1] * 11, [2, 3, 1, 5], [11], [3, 8]], ids=str)
def test_the_newest_rows_are_kept_in_order(steps):
    ring = np.zeros((5, 3), np.uint8)
    rows, count = Rows(ring), 0
    for step in steps:
        rows.extend(numbered(count, count + step))
        count += step

        assert rows.count == count
        assert rows.oldest == max(0, count - 4)  # of five slots one is open
        for start in range(count + 1):
            assert rows.since(start)[:, 0].tolist() == [*range(max(start, rows.oldest), count)]


def test_what_is_appended_later_completes_a_copy():
    """As a file that grows does."""
    rows, copy = (Rows(np.zeros((6, 3), np.uint8)) for _ in range(2))
    for stop in (2, 3, 7, 12):
        rows.extend(numbered(rows.count, stop))
        copy.extend(rows.since(copy.count))

    assert copy.count == rows.count
    assert copy.ring.tolist() == rows.ring.tolist()


def test_a_ring_may_be_a_column_of_another_array():
    matrix = np.zeros((4, 2, 3), np.uint8)
    rows = Rows(matrix[:, 1])
    rows.extend(numbered(0, 5))

    assert matrix[:, 0].tolist() == np.zeros((4, 3)).tolist()
    assert matrix[:, 1, 0].tolist() == [4, 1, 2, 3]
    assert rows.since(0).flags.c_contiguous
    assert rows.since(0)[:, 0].tolist() == [2, 3, 4]


def test_since_is_a_copy():
    rows = Rows(np.zeros((4, 3), np.uint8), 2)
    rows.since(0)[:] = 9

    assert not rows.ring.any()


@pytest.mark.parametrize(
    "ring",
    [np.zeros((4, 3)), np.zeros(4, np.uint8), np.zeros((1, 3), np.uint8)],
    ids=["dtype", "shape", "capacity"],
)
def test_rings_that_are_none(ring):
    with pytest.raises(ValueError, match=r"Rows: ring is .*; expected uint8 \[capacity, width\]"):
        Rows(ring)


def test_counts_that_are_none():
    rows = Rows(np.zeros((4, 3), np.uint8), 2)

    with pytest.raises(ValueError, match="Rows: count is -1; expected a number of rows"):
        Rows(rows.ring, -1)
    with pytest.raises(ValueError, match=r"Rows.since: start is 3; expected at most 2"):
        rows.since(3)


@pytest.mark.parametrize(
    "block", [np.zeros((1, 2), np.uint8), np.zeros((1, 3)), np.zeros(3, np.uint8)]
)
def test_blocks_that_do_not_fit(block):
    with pytest.raises(ValueError, match=r"Rows.extend: got .*; expected uint8 \[N, 3\]"):
        Rows(np.zeros((4, 3), np.uint8)).extend(block)
