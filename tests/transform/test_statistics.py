import numpy as np
import pytest

from lagom.transform.statistics import PolyakAverage, RunningMeanVar


def test_documented_numbers():
    f = RunningMeanVar(shape=())
    for x in ([1, 2], [3], [4]):
        f(x)

    assert (float(f.mean), float(f.var)) == (2.499937501562461, 1.2501499923440393)
    assert f.n == 4
    assert f.mean.dtype == f.var.dtype == np.float64


def test_before_any_data():
    f = RunningMeanVar((2,))

    np.testing.assert_array_equal(f.mean, [0, 0])
    np.testing.assert_array_equal(f.var, [1, 1])
    assert f.n == 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.uint8])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_any_split_gives_the_weighted_moments_of_everything(shape, dtype):
    x = np.random.default_rng(0).integers(0, 100, size=(1000, *shape)).astype(dtype)
    f = RunningMeanVar(shape)
    for chunk in np.split(x, [1, 2, 10, 300, 301, 777]):
        f(chunk)

    # The definition, with the prior as a weight of 1e-4 on mean 0 and variance 1.
    total = 1000 + 1e-4
    mean = x.sum(0, dtype=np.float64) / total
    second = (np.square(x, dtype=np.float64).sum(0) + 1e-4) / total
    np.testing.assert_allclose(f.mean, mean, rtol=1e-12)
    np.testing.assert_allclose(f.var, second - mean**2, rtol=1e-9)
    assert f.n == 1000


def test_moments_close_to_numpy():
    x = np.random.default_rng(1).normal(size=1000)
    f = RunningMeanVar(())
    for chunk in np.split(x, [3, 10, 100, 101, 400, 900]):
        f(chunk)

    np.testing.assert_allclose([f.mean, f.var], [x.mean(), x.var()], atol=1e-3)


def test_moments_handed_out_are_never_written_into():
    f = RunningMeanVar((2,))
    f([[1.0, 2.0]])
    mean, var = f.mean, f.var
    copies = mean.copy(), var.copy()

    f([[5.0, 6.0], [7.0, 8.0]])

    np.testing.assert_array_equal((mean, var), copies)


def test_state_round_trip():
    f, g = RunningMeanVar((2,)), RunningMeanVar((2,))
    rng = np.random.default_rng(2)
    f(rng.normal(size=(5, 2)))

    g.load_state_dict(f.state_dict())
    x = rng.normal(size=(3, 2))
    f(x)
    g(x)

    assert f.n == g.n == 8
    np.testing.assert_array_equal(f.mean, g.mean)
    np.testing.assert_array_equal(f.var, g.var)


@pytest.mark.parametrize("x", [1.0, [[1.0]], [[1.0, 2.0, 3.0]], np.zeros((0, 2))])
def test_other_shapes_are_refused(x):
    with pytest.raises(ValueError, match="RunningMeanVar: got a batch of shape"):
        RunningMeanVar((2,))(x)


def test_state_of_another_shape_is_refused():
    with pytest.raises(
        ValueError, match=r"got moments of shape \(3,\) and \(3,\); expected \(2,\)"
    ):
        RunningMeanVar((2,)).load_state_dict(RunningMeanVar((3,)).state_dict())


def test_polyak_average_by_hand():
    f = PolyakAverage(alpha=0.75)
    assert f.get_current() is None

    assert [f(4), f(8), f(0.0)] == [4.0, 5.0, 3.75]
    assert f.get_current() == 3.75


def test_polyak_average_of_arrays():
    f = PolyakAverage(alpha=0.5)
    x = np.array([[0.0, 2.0]])

    first, second = f(x), f([[4.0, 4.0]])

    assert first.tolist() == [[0, 2]]
    assert second.tolist() == [[2, 3]]
    x[:] = 7
    assert first.tolist() == [[0, 2]]


@pytest.mark.parametrize(("alpha", "expected"), [(0, [1, 2, 3]), (1, [1, 1, 1])])
def test_polyak_average_at_the_ends_of_alpha(alpha, expected):
    f = PolyakAverage(alpha)

    assert [f(x) for x in (1, 2, 3)] == expected


@pytest.mark.parametrize("x", [1, 1.5, np.float64(2), np.int64(3), [1.0, 2.0]])
def test_polyak_average_is_float32(x):
    f = PolyakAverage(np.float64(0.3))

    for average in (f(x), f(x)):
        assert average.dtype == np.float32
        assert type(average) is (np.ndarray if np.ndim(x) else np.float32)


@pytest.mark.parametrize("x", [2.0, [[1.0, 2.0], [3.0, 4.0]]])
def test_polyak_average_state(x):
    f, g = PolyakAverage(0.3), PolyakAverage(0.3)
    g.load_state_dict(f.state_dict())
    assert g.get_current() is None

    f(x)
    f(np.multiply(x, 3))
    state = f.state_dict()
    g.load_state_dict(state)
    state["current"][...] = 0

    np.testing.assert_array_equal(g.get_current(), f.get_current())
    np.testing.assert_array_equal(g(x), f(x))
    assert type(g.get_current()) is type(f.get_current())


@pytest.mark.parametrize("alpha", [-0.1, 1.1, np.nan])
def test_polyak_average_refuses_alpha(alpha):
    with pytest.raises(ValueError, match=f"PolyakAverage: alpha is {alpha}; expected a number in"):
        PolyakAverage(alpha)


def test_polyak_average_refuses_another_shape():
    f = PolyakAverage(0.5)
    f([1.0, 2.0])

    with pytest.raises(ValueError, match=r"PolyakAverage: got shape \(\); expected \(2,\)"):
        f(1.0)
