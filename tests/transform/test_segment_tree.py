import copy
import operator
from functools import reduce

import numpy as np
import pytest

from lagom.transform.segment_tree import MinTree, SegmentTree, SumTree

SIZES = [1, 2, 8, 16, 32, 128, 512, 8192, 2**17]  # one to five levels, full and narrow roots


def filled(tree, seed=0):
    """``tree`` with integers in it (sums of them are exact), and a list of the same."""
    x = np.random.default_rng(seed).integers(0, 10, tree.capacity).astype(float)
    tree[np.arange(tree.capacity)] = x
    return tree, x.tolist()


def find_by_definition(priorities, prefixsum):
    """The highest index before which there is at most ``prefixsum``, of those above zero."""
    before, found = 0.0, None
    for i, priority in enumerate(priorities):
        if before > prefixsum:
            break
        if priority > 0:
            found = i
        before += priority
    return found


@pytest.mark.parametrize("capacity", SIZES)
def test_reduces_any_stretch(capacity):
    tree, x = filled(SumTree(capacity))
    least, y = filled(MinTree(capacity), seed=1)
    rng = np.random.default_rng(2)
    stretches = [(0, capacity), (0, 0), (capacity // 2, capacity), (capacity, 0)]
    stretches += rng.integers(0, capacity + 1, (100, 2)).tolist()

    for start, end in stretches:
        assert tree.sum(start, end) == sum(x[start:end])
        assert least.min(start, end) == min(y[start:end], default=float("inf"))
    assert type(tree.sum()) is type(least.min()) is float


@pytest.mark.parametrize(
    ("start", "end"), [(1, None), (0, -1), (-2, None), (-3, -1), (-99, 99), (3, 3), (3, 1)]
)
def test_stretches_are_those_of_slices(start, end):
    tree, x = filled(SumTree(32))

    assert tree.sum(start, end) == sum(x[start:end])


@pytest.mark.parametrize("capacity", SIZES)
def test_written_one_by_one_or_at_once(capacity):
    rng = np.random.default_rng(0)
    one, many, x = SumTree(capacity), SumTree(capacity), np.zeros(capacity)
    for _ in range(20):
        index = rng.integers(-capacity, capacity, rng.integers(0, 300))  # often twice the same
        values = rng.random(len(index))
        many[index] = values
        for i, value in zip(index.tolist(), values.tolist(), strict=True):
            one[i] = x[i] = value

    fresh = SumTree(capacity)
    fresh[:] = x
    for a, b, c in zip(one._levels, many._levels, fresh._levels, strict=True):
        np.testing.assert_array_equal(a, c)  # to the last digit: what is resumed goes on the same
        np.testing.assert_array_equal(b, c)


def test_sums_do_not_drift():
    rng = np.random.default_rng(0)
    tree = SumTree(64)
    for _ in range(2000):
        tree[rng.integers(0, 64, 8)] = rng.choice([1e12, 1e-6, 0.1], 8)
    tree[:] = 0.0

    assert tree.sum() == 0.0


def test_reading():
    tree, x = filled(SumTree(32))

    assert tree[5] == x[5]
    assert type(tree[np.int64(5)]) is float
    assert tree[-1] == x[-1]
    assert tree[[3, 4, 3]].tolist() == [x[3], x[4], x[3]]
    assert tree[np.array([[1, 2]], np.uint8)].tolist() == [[x[1], x[2]]]
    assert tree[2:5].tolist() == x[2:5]
    assert list(tree) == x


def test_what_was_read_is_a_copy():
    tree = SumTree(4)

    tree[:][:] = 1.0
    tree[[0, 1]][:] = 1.0

    assert tree.sum() == 0.0


def test_one_value_for_many_and_many_shapes():
    tree = SumTree(4)

    tree[[0, 1]] = 2.0
    tree[np.array([[2], [3]], np.uint64)] = [[1.0], [5.0]]

    assert tree[:].tolist() == [2, 2, 1, 5]
    assert tree.sum() == 10
    assert tree.sum(1, 3) == 3


def test_nothing_written():
    for tree in (SumTree(512), SegmentTree(512, operator.add, 0)):
        tree[np.array([], int)] = []

        assert tree.reduce() == 0


@pytest.mark.parametrize(
    ("operation", "identity", "expected"),
    [
        (operator.add, 0, sum),
        (min, float("inf"), min),
        (max, float("-inf"), max),
        (np.maximum, -np.inf, max),
        (operator.mul, 1, lambda x: reduce(operator.mul, x, 1)),
        (lambda a, b: a if np.isnan(b) else b, np.nan, lambda x: x[-1]),  # the order matters
    ],
)
def test_any_operation(operation, identity, expected):
    tree = SegmentTree(1024, operation, identity)
    x = np.random.default_rng(0).choice([-1.0, 1.0, 0.5, 2.0], 1024)
    x[[990, 999]] = 3.0, 4.0
    tree[:] = 0.0
    tree[np.arange(1022)] = x[:1022]
    tree[1022], tree[1023] = x[1022], x[1023]

    for start, end in [(0, 1024), (3, 1000), (15, 17), (16, 48), (991, 1024)]:
        assert tree.reduce(start, end) == expected(x[start:end].tolist())
    np.testing.assert_equal(tree.reduce(5, 5), float(identity))


def test_fresh_trees():
    assert SumTree(8).sum() == 0
    assert MinTree(8).min() == float("inf")
    assert SegmentTree(8, max, -1).reduce() == -1


@pytest.mark.parametrize("capacity", SIZES)
def test_find_against_the_definition(capacity):
    tree, priorities = filled(SumTree(capacity))  # one in ten is 0
    total = sum(priorities)
    quarters = np.random.default_rng(1).integers(0, 4 * int(total), 50) / 4
    prefixsums = np.concatenate([quarters, [0.0, total - 0.25, total]])

    index = tree.find_prefixsum_index(prefixsums)

    assert index.tolist() == [find_by_definition(priorities, p) for p in prefixsums]
    assert index.dtype == np.int64


def test_find_one_or_many():
    tree = SumTree(4)
    tree[:] = [0.5, 1.0, 1.0, 3.0]

    assert tree.find_prefixsum_index(1.5) == 2
    assert type(tree.find_prefixsum_index(1.5)) is int
    assert tree.find_prefixsum_index([[0.0, 0.5], [2.0, 5.5]]).tolist() == [[0, 1], [2, 3]]
    assert tree.find_prefixsum_index([]).tolist() == []


def test_find_never_ends_at_priority_0():
    rng = np.random.default_rng(0)
    tree = SumTree(2**17)
    for _ in range(10):
        tree[:] = 0.0
        index = rng.choice(2**17, 40, replace=False)
        tree[index] = 10.0 ** rng.uniform(-300, 10, 40)  # nearly all are lost in the sum
        total = tree.sum()

        near = total * (1 - 2.0 ** -np.arange(1, 60))
        found = tree.find_prefixsum_index([*near, 0.0, total, *(total * rng.random(1000))])

        assert (tree[found] > 0).all()


def test_find_stays_below_a_node_whose_children_add_up_to_less():
    tree = SumTree(8192)
    tree[:16] = [1.0] + [
        2.0**-53
    ] * 15  # one after the other none of these counts, together they do
    tree[40] = 1.0
    assert tree.sum() > 2.0 + 2.0**-52

    assert tree.find_prefixsum_index(1.0 + 2.0**-52) < 16


def test_find_takes_rounding_for_the_end():
    tree = SumTree(4)
    tree[:] = [0.1, 0.2, 0.3, 0.0]

    assert tree.find_prefixsum_index([tree.sum(), tree.sum() + 1e-5]).tolist() == [2, 2]


def test_find_with_infinite_and_tiny_priorities():
    tree = SumTree(2**17)
    tree[[3, 70_000]] = [5e-324, 1e-310]
    assert tree.find_prefixsum_index([0.0, 5e-324, tree.sum()]).tolist() == [3, 70_000, 70_000]

    tree[70_000] = np.inf
    assert tree.find_prefixsum_index([0.0, 1.0, np.inf]).tolist() == [3, 70_000, 70_000]


def test_draws_are_in_proportion():
    tree = SumTree(8192)
    tree[[10, 2000, 8191]] = [1.0, 2.0, 5.0]
    u = (np.arange(8000) + 0.5) / 8000

    index, count = np.unique(tree.find_prefixsum_index(u * tree.sum()), return_counts=True)

    assert index.tolist() == [10, 2000, 8191]
    assert count.tolist() == [1000, 2000, 5000]


@pytest.mark.parametrize("tree", [SumTree(32), MinTree(32), SegmentTree(32, max, 0)])
def test_state_round_trip(tree):
    filled(tree)
    other = copy.deepcopy(tree)
    state = tree.state_dict()
    other[:] = 1.0

    other.load_state_dict(state)
    state["elements"][:] = 7.0  # neither of them is affected
    for each in (tree, other):
        each[3] = 9.0

    assert other[:].tolist() == tree[:].tolist()
    assert other.reduce() == tree.reduce()
    assert other.reduce(2, 19) == tree.reduce(2, 19)


def test_refuses_the_state_of_another_capacity():
    with pytest.raises(ValueError, match=r"MinTree: got elements of shape \(8,\); expected \(4,\)"):
        MinTree(4).load_state_dict(MinTree(8).state_dict())


@pytest.mark.parametrize(
    ("capacity", "following"), [(1000, 1024), (3, 4), (0, 1), (-4, 1), (2**20 + 1, 2**21)]
)
@pytest.mark.parametrize("tree", [SumTree, MinTree])
def test_refuses_a_capacity(tree, capacity, following):
    with pytest.raises(
        ValueError,
        match=f"{tree.__name__}: capacity {capacity} is not a power of two; "
        f"the next one is {following}$",
    ):
        tree(capacity)


@pytest.mark.parametrize("index", [1.0, [0.0, 1.0], True, [True, False], None, "1"])
def test_refuses_an_index(index):
    tree = SumTree(2)

    with pytest.raises(TypeError, match="SumTree: index is .*; expected integers or a slice"):
        tree[index] = 1.0
    with pytest.raises(TypeError, match="SumTree: index is .*; expected integers or a slice"):
        tree[index]


@pytest.mark.parametrize("index", [4, -5, [0, 4]])
def test_refuses_an_index_out_of_range(index):
    tree = SumTree(4)

    with pytest.raises(IndexError, match="out of bounds"):
        tree[index] = 1.0
    assert tree[:].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("value", "wrong"), [(-1, "-1.0"), (np.nan, "nan"), ([1.0, -0.5], "-0.5"), ([2, np.nan], "nan")]
)
def test_refuses_a_priority(value, wrong):
    tree = SumTree(2)

    with pytest.raises(ValueError, match=f"SumTree: priority is {wrong}; expected 0 or more"):
        tree[[0, 1]] = value
    assert tree[:].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("prefixsum", "wrong"), [(-0.1, "-0.1"), (4.1, "4.1"), (np.nan, "nan"), ([1.0, 5.0], "5.0")]
)
def test_refuses_a_prefixsum(prefixsum, wrong):
    tree = SumTree(4)
    tree[1] = 4.0

    with pytest.raises(
        ValueError, match=f"SumTree: prefixsum is {wrong}; expected a number from 0 to 4.0"
    ):
        tree.find_prefixsum_index(prefixsum)


def test_finds_nothing_where_every_priority_is_0():
    with pytest.raises(ValueError, match="SumTree: every priority is 0; expected a positive one"):
        SumTree(4).find_prefixsum_index(0.0)
