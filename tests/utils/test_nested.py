import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Dict, Discrete, Tuple

from lagom.utils import nested

TREE = {
    "a": np.arange(6).reshape(3, 2),
    "b": (np.arange(3.0), {"c": np.array([True, False, True])}),
}


def equal(a, b):
    same = nested.map_leaves(lambda x, y: x.dtype == y.dtype and np.array_equal(x, y), a, b)
    return nested.names(a) == nested.names(b) and all(nested.flat(same))


def test_leaves_keep_their_places():
    assert nested.map_leaves(lambda x: x + 1, 3) == 4
    assert nested.map_leaves(len, {"a": "xy", "b": ("z", ["u", "v", "w"])}) == {
        "a": 2,
        "b": (1, 3),  # lists are leaves
    }
    assert nested.flat({"b": 1, "a": (2, {"c": 3})}) == [1, 2, 3]
    assert nested.flat(None) == [None]
    assert nested.names(7, "x") == "x"
    assert nested.names({"a": 0, "b": (1, {"c": 2})}) == {"a": "a", "b": ("b.0", {"c": "b.1.c"})}


def test_structures_must_agree():
    with pytest.raises(KeyError, match="b"):
        nested.map_leaves(max, {"a": 1, "b": 2}, {"a": 1})
    with pytest.raises(ValueError, match="zip"):
        nested.map_leaves(max, (1, 2), (1,))


def test_spaces_there_and_back():
    space = Dict(z=Discrete(3), a=Tuple([Box(0.0, 1.0, (2,)), Dict(b=Discrete(2))]))
    tree = nested.simple_spaces(space)

    assert tree == {"a": (Box(0.0, 1.0, (2,)), {"b": Discrete(2)}), "z": Discrete(3)}
    assert nested.joint_space(tree) == space
    assert nested.simple_spaces(Discrete(3)) == nested.joint_space(Discrete(3)) == Discrete(3)


def test_rows_and_stacks():
    rows = nested.rows(TREE)

    assert nested.num_rows(TREE) == len(rows) == 3
    assert rows[1]["a"].tolist() == [2, 3]
    assert rows[1]["b"] == (1.0, {"c": False})
    assert equal(nested.stack(rows), TREE)
    parts = [nested.index(TREE, slice(2)), nested.index(TREE, slice(2, 3))]
    assert equal(nested.concatenate(parts), TREE)


def test_assignment_is_in_place():
    tree = nested.map_leaves(np.zeros_like, TREE)
    nested.assign(tree, 1, nested.index(TREE, 2))

    assert tree["a"].tolist() == [[0, 0], [4, 5], [0, 0]]
    assert tree["b"][0].tolist() == [0, 2, 0]
    assert tree["b"][1]["c"].tolist() == [False, True, False]


def test_tensors():
    tree = nested.to_tensors({"f": np.zeros(3), "u": np.arange(3, dtype=np.uint8)}, "cpu")
    assert (tree["f"].dtype, tree["u"].dtype) == (torch.float32, torch.uint8)
    shared = np.zeros(2, np.float32)
    nested.to_tensors(shared, "cpu")[0] = 1
    assert shared[0] == 1

    halves = nested.split(tree, 2)
    assert [half["u"].tolist() for half in halves] == [[0, 1], [2]]
    assert [part.tolist() for part in nested.split(torch.arange(3), 2)] == [[0, 1], [2]]
