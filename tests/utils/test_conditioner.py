import numpy as np
import pytest
import torch

from lagom.experiment import storage
from lagom.utils import IntervalConditioner, NConditioner


def fired(conditioner, ns):
    return [n for n in ns if conditioner(n)]


def test_interval_by_definition():
    conditioner = IntervalConditioner(7, "accumulative")
    ns = [0, 3, 6, 7, 8, 13, 15, 20, 21, 21, 22, 27, 28]

    last, expected = 0, []
    for n in ns:
        multiples = [m for m in range(1, n + 1) if m % 7 == 0 and m > last]
        expected += [n] if multiples or n == 0 else []
        last = max([last, *multiples])

    assert fired(conditioner, ns) == expected == [0, 7, 15, 21, 28]


def test_a_jump_of_the_counter_is_one_firing():
    conditioner = IntervalConditioner(10, "accumulative")

    assert fired(conditioner, [1, 35, 36, 37, 39, 40, 41]) == [35, 40]


def test_increments_catch_up_one_a_call():
    conditioner = IntervalConditioner(10, "incremental")

    assert [conditioner(n) for n in [35, 1, 1, 1, 1, 1]] == [True, True, True, False, False, True]


def test_zero_is_true_and_counts_for_nothing():
    conditioner = IntervalConditioner(10, "incremental")
    conditioner(20)

    assert [conditioner(n) for n in [0, 0, 1, 1]] == [True, True, True, False]


def test_the_first_interval_is_not_over_at_its_beginning():
    assert IntervalConditioner(1, "accumulative")(1)
    assert not IntervalConditioner(2, "accumulative")(1)
    assert not IntervalConditioner(0.5, "incremental")(0.25)


def test_moments_by_definition():
    for num_conditions in range(1, 30):
        conditioner = NConditioner(97, num_conditions, "accumulative")
        moments = {-(-k * 97 // num_conditions) for k in range(1, num_conditions + 1)}  # rounded up

        assert fired(conditioner, range(1, 300)) == sorted(moments)


def test_moments_of_increments():
    conditioner = NConditioner(10, 2, "incremental")

    assert fired(conditioner, [0, 4, 1, 0]) == [0, 1, 0]
    assert fired(conditioner, [4, 1, 0, 9]) == [1]  # the last


@pytest.mark.parametrize(
    ("mode", "ns"), [("accumulative", [60, 61, 62, 75]), ("incremental", [60, 1, 1, 13])]
)
def test_a_jump_over_moments_is_one_firing(mode, ns):
    conditioner = NConditioner(100, 4, mode)

    assert [conditioner(n) for n in ns] == [True, False, False, True]


def test_beyond_the_last_moment_there_is_nothing():
    conditioner = NConditioner(100, 4, "accumulative")

    assert [conditioner(n) for n in [1000, 1001, 0, 2000]] == [True, False, False, False]


@pytest.mark.parametrize("mode", ["accumulative", "incremental"])
@pytest.mark.parametrize(
    "make", [lambda mode: IntervalConditioner(10, mode), lambda mode: NConditioner(95, 7, mode)]
)
def test_state_round_trip(make, mode, tmp_path):
    ns = [0, 3, 9, 13, 40, 41, 42, 43, 60, 61, 95, 96, 0]
    straight, before, after = make(mode), make(mode), make(mode)
    expected = [straight(n) for n in ns]

    head = [before(np.int64(n)) for n in ns[:6]]
    storage.write_pickle(tmp_path / "state", before.state_dict())  # plain values only
    after.load_state_dict(storage.read_pickle(tmp_path / "state"))

    assert head + [after(torch.tensor(n)) for n in ns[6:]] == expected
    assert after.state_dict() == straight.state_dict()


@pytest.mark.parametrize("make", [IntervalConditioner, lambda n, mode: NConditioner(n, 2, mode)])
def test_wrong_arguments_are_refused(make):
    with pytest.raises(ValueError, match=r"Conditioner: (interval|max_n) is 0; expected above 0"):
        make(0, "accumulative")
    with pytest.raises(
        ValueError, match=r"Conditioner: mode is 'both'; expected 'accumulative' or"
    ):
        make(5, "both")
    with pytest.raises(ValueError, match=r"Conditioner: n is -1; expected 0 or more"):
        make(5, "incremental")(-1)
    with pytest.raises(ValueError, match=r"Conditioner: n is nan; expected 0 or more"):
        make(5, "incremental")(float("nan"))


def test_a_number_of_moments_is_refused():
    with pytest.raises(ValueError, match="NConditioner: num_conditions is 0; expected 1 or more"):
        NConditioner(10, 0, "accumulative")
