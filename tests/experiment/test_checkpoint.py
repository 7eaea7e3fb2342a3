import math
import os
import random

import numpy as np
import pytest
import torch

from lagom.experiment import checkpoint, storage

# Trees of state -----------------------------------------------------------------------------------


def same(a, b):
    """Equal in type, shape, dtype and bits."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and same(a.numpy(), b.numpy())
    if isinstance(a, np.ndarray):
        return (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    return a == b or (a != a and b != b)


def through_files(tree, folder):
    plain, arrays = checkpoint.pack(tree)
    storage.write_json(folder / "state.json", plain)
    checkpoint.write_arrays(folder / "arrays.safetensors", arrays)
    return checkpoint.unpack(
        storage.read_json(folder / "state.json"),
        checkpoint.read_arrays(folder / "arrays.safetensors"),
    )


def test_trees_come_back_as_they_were(tmp_path):
    kinds = ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"]
    tree = {
        "plain": [None, True, 1, -2.5, "ü", math.nan, math.inf, 2**127 + 1],
        "arrays": {kind: np.arange(6).reshape(2, 3).astype(kind) for kind in kinds},
        "strange": [np.array(3.5, "f4"), np.empty((0, 4)), np.array([np.nan, -0.0])],
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "strided": np.arange(10)[::3],
        "tensors": (torch.tensor(7.0), torch.arange(4).reshape(2, 2), torch.zeros(0)),
        "bools": torch.ones(1).bool(),
        "parameter": {"nested": ({0: torch.full((2,), 0.5)}, (), [], {})},
        "keys": {1: "a", "1": "b", (2, "x"): np.ones(1), None: 3},
        "marks": {"__array__": 1, "__tuple__": [2]},
    }
    back = through_files(tree, tmp_path)
    tree["fortran"] = np.ascontiguousarray(tree["fortran"])
    assert same(back, tree)


def test_names_with_dots_do_not_collide(tmp_path):
    tree = {"a.b": np.zeros(2), "a": {"b": np.ones(3)}, "k": {1: np.full(1, 5), "1": np.full(1, 6)}}
    assert same(through_files(tree, tmp_path), tree)


def test_numpy_scalars_become_numbers(tmp_path):
    back = through_files([np.float32(0.5), np.int64(3), np.bool_(True), np.str_("x")], tmp_path)
    assert same(back, [0.5, 3, True, "x"])


def test_packed_arrays_are_copies(tmp_path):
    x, y = np.zeros(2), torch.zeros(2)
    _, arrays = checkpoint.pack([x, y])
    x += 1
    y += 1
    assert [a.tolist() for a in arrays.values()] == [[0, 0], [0, 0]]


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"a": [0, {"b": {1, 2}}]}, r"state\.a\.1\.b: cannot save a set"),
        ({"a": b"x"}, r"state\.a: cannot save a bytes"),
        ((np.array([object()]),), r"state\.0: cannot save a ndarray"),
        ({"z": np.complex128(1j)}, r"state\.z: cannot save a complex"),
        ({"f": len}, r"state\.f: cannot save a builtin"),
    ],
)
def test_what_cannot_be_saved_is_refused_with_its_place(tree, message):
    with pytest.raises(TypeError, match=message):
        checkpoint.pack(tree)


def test_damaged_arrays_are_named(tmp_path):
    (tmp_path / "x.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{broken}")
    with pytest.raises(ValueError, match=r"x\.safetensors: not readable as safetensors"):
        checkpoint.read_arrays(tmp_path / "x.safetensors")


# Checkpoints --------------------------------------------------------------------------------------


def state(n):
    return {"n": n, "x": np.arange(50.0) * n, "t": torch.full((3,), float(n))}


def newest(folder):
    return checkpoint.read_checkpoint(folder)[0]["n"]


def test_newest_checkpoints_are_kept_and_read(tmp_path):
    folder = tmp_path / "checkpoints"
    assert checkpoint.read_checkpoint(folder) == (None, [])
    for n in (8, 9, 10, 100):
        checkpoint.write_checkpoint(folder, n, state(n), keep=3)
        assert newest(folder) == n
    assert sorted(os.listdir(folder)) == ["10", "100", "9"]
    back, complaints = checkpoint.read_checkpoint(folder)
    assert same(back, state(100))
    assert complaints == []


def test_every_flipped_bit_is_found_and_the_previous_checkpoint_used(tmp_path):
    rng = random.Random(2)
    for n in (1, 2):
        checkpoint.write_checkpoint(tmp_path / "c", n, state(n), keep=2)
    for name in ("state.json", "arrays.safetensors", "manifest.json"):
        path = tmp_path / "c" / "2" / name
        data = path.read_bytes()
        for _ in range(60):
            damaged = bytearray(data)
            damaged[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            path.write_bytes(damaged)
            back, complaints = checkpoint.read_checkpoint(tmp_path / "c")
            if name == "manifest.json" and not complaints:  # a bit that says nothing of the state
                assert same(back, state(2))
            else:
                assert same(back, state(1))
                assert len(complaints) == 1
                assert str(tmp_path / "c" / "2") in complaints[0]
        path.write_bytes(data)
    assert newest(tmp_path / "c") == 2


@pytest.mark.parametrize("name", ["state.json", "arrays.safetensors", "manifest.json"])
def test_checkpoint_without_a_file_is_passed_over(tmp_path, name):
    for n in (1, 2):
        checkpoint.write_checkpoint(tmp_path, n, state(n), keep=2)
    (tmp_path / "2" / name).unlink()
    assert newest(tmp_path) == 1


def test_no_usable_checkpoint_is_an_error_that_names_all(tmp_path):
    for n in (1, 2):
        checkpoint.write_checkpoint(tmp_path, n, state(n), keep=2)
        (tmp_path / str(n) / "state.json").write_text("{}")
    with pytest.raises(ValueError, match=r"no usable checkpoint; start anew") as caught:
        checkpoint.read_checkpoint(tmp_path)
    assert f"{tmp_path}/1: damaged (state.json: hash differs)" in str(caught.value)
    assert f"{tmp_path}/2: damaged (state.json: hash differs)" in str(caught.value)


def test_checkpoint_of_a_newer_lagom_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "FORMAT", storage.FORMAT + 1)
    checkpoint.write_checkpoint(tmp_path, 1, state(1), keep=1)
    monkeypatch.undo()
    with pytest.raises(ValueError, match="written by a newer lagom"):
        checkpoint.read_checkpoint(tmp_path)


def test_damaged_checkpoint_is_replaced_and_leftovers_go(tmp_path):
    checkpoint.write_checkpoint(tmp_path, 1, state(1), keep=2)
    checkpoint.write_checkpoint(tmp_path, 2, state(2), keep=2)
    (tmp_path / "2" / "state.json").write_text("{}")
    for leftover in (".3.99", ".2.old"):
        (tmp_path / leftover).mkdir()
    (tmp_path / ".DS_Store").write_text("of somebody else")
    checkpoint.write_checkpoint(tmp_path, 2, state(5), keep=2)
    assert sorted(os.listdir(tmp_path)) == [".DS_Store", "1", "2"]
    assert newest(tmp_path) == 5


def test_new_checkpoint_stands_before_an_old_one_goes(tmp_path, monkeypatch):
    checkpoint.write_checkpoint(tmp_path, 1, state(1), keep=1)

    def fail(path):
        raise OSError("cannot remove")

    monkeypatch.setattr(checkpoint.shutil, "rmtree", fail)
    with pytest.raises(OSError, match="cannot remove"):
        checkpoint.write_checkpoint(tmp_path, 2, state(2), keep=1)
    assert sorted(os.listdir(tmp_path)) == ["1", "2"]
