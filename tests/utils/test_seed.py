import random

import numpy as np
import pytest
import torch

from lagom.utils import Seeder, set_global_seeds, undisturbed_random_state


def test_documented_seeds():
    assert Seeder(init_seed=0)(size=5) == [209652396, 398764591, 924231285, 1478610112, 441365315]
    assert Seeder(10)(3) == [1165313289, 1283169405, 89128932]


def test_calls_continue_one_stream():
    seeder = Seeder(0)

    assert seeder() == [209652396]
    assert seeder(5) == [398764591, 924231285, 1478610112, 441365315, 1537364731]


def test_size_may_be_a_shape():
    flat, nested = Seeder(3)(6), Seeder(3)([2, 3])

    assert nested == [flat[:3], flat[3:]]


def test_global_state_is_left_alone_and_seeds_are_ints():
    before = np.random.get_state()[1].copy()

    seeds = Seeder(1)(4)

    np.testing.assert_array_equal(np.random.get_state()[1], before)
    assert {type(seed) for seed in seeds} == {int}


def test_state_round_trip():
    seeder, other = Seeder(0), Seeder(9)
    seeder(700)  # past one refill of the Mersenne state

    other.load_state_dict(seeder.state_dict())

    assert other(5) == seeder(5)


@pytest.mark.parametrize("init_seed", [-1, 2**32, "a"])
def test_wrong_seed_is_refused(init_seed):
    with pytest.raises(ValueError, match="Seeder: init_seed is .*expected an integer"):
        Seeder(init_seed)


def test_set_global_seeds():
    draws = []
    for _ in range(2):
        set_global_seeds(3)
        draws.append((torch.rand(2).tolist(), np.random.rand(), random.random()))

    assert draws[0] == draws[1]
    set_global_seeds(4)
    assert (torch.rand(2).tolist(), np.random.rand(), random.random()) != draws[0]


def test_undisturbed_random_state():
    def draw():
        return torch.rand(2).tolist(), np.random.randn(), random.random()

    set_global_seeds(3)
    expected = draw(), draw()

    set_global_seeds(3)
    first = draw()
    with undisturbed_random_state():
        assert draw() == expected[1]
    assert (first, draw()) == expected
