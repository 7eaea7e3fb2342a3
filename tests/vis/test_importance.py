import numpy as np
import pytest

from lagom.vis.importance import Key, importance, make_key


def key_of(values):
    return make_key("key", list(values), [str(value) for value in values])


def line(values):
    return Key("key", [], np.array(values, float), "linear")


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1e-4, 1e-3, 1e-2], "log"),
        ([16, 32, 64, 128], "log"),
        ([1, 2, 4], "log"),
        ([1e-4, 3e-4, 1e-3], "log"),
        ([1, 2, 3, 4, 5], "linear"),
        ([1, 1.5, 2.25], "linear"),  # a factor below four
        ([1, 3, 4, 8], "linear"),  # hardly more even on a logarithmic axis
        ([2, 10], "linear"),  # two values lie evenly on any axis
        ([0, 1, 10, 100], "linear"),
        ([-1, 10, 100], "linear"),
        ([7], "linear"),
        ([True, False], "category"),
        ([0.5, None], "category"),
        ([1.0, float("nan")], "category"),
        ([1.0, 10**400], "category"),
        ([[64], [64, 64]], "category"),
        (["tanh", "relu"], "category"),
    ],
)
def test_kind_of_axis(values, kind):
    assert key_of(values).kind == kind


def test_places_by_hand():
    np.testing.assert_allclose(key_of([1e-4, 1e-2, 1e-3]).places, [-4, -2, -3])
    np.testing.assert_allclose(key_of([3, 1, 2]).places, [3, 1, 2])
    np.testing.assert_allclose(key_of(["b", "a", "b", "c"]).places, [0, 1, 0, 2])


def ridge_by_definition(X, y, penalty):
    """Weights and intercept that minimize the squared error and ``penalty * N * |w|^2``."""
    N, D = X.shape
    A = np.block([[X, np.ones((N, 1))], [np.sqrt(penalty * N) * np.eye(D), np.zeros((D, 1))]])
    return np.linalg.lstsq(A, np.concatenate([y, np.zeros(D)]), rcond=None)[0]


def best_fit(X, y):
    """The penalty with the least error when one row is left out, by leaving out each in turn."""

    def error(penalty):
        errors = []
        for i in range(len(y)):
            rest = np.arange(len(y)) != i
            # the penalty stays that of all rows: the identity of the hat matrix is for that
            w = ridge_by_definition(X[rest], y[rest], penalty * len(y) / (len(y) - 1))
            errors.append((y[i] - X[i] @ w[:-1] - w[-1]) ** 2)
        return sum(errors)

    best = min((1e-3, 1e-2, 1e-1, 1.0, 10.0), key=error)
    return ridge_by_definition(X, y, best)


def test_importance_by_definition():
    rng = np.random.default_rng(5)
    a, b = rng.choice([0.0, 1.0, 2.0], 9), rng.choice([0.0, 1.0], 9)
    y = 2.0 * (a == 1) + b + rng.normal(0, 0.3, 9)
    A, B = a[:, None] == np.unique(a), b[:, None] == np.unique(b)
    X = np.concatenate([A, B], axis=1).astype(float)
    f, r = np.empty((9, 2)), np.empty(9)
    for i in range(9):  # as many folds as configurations
        rest = np.arange(9) != i
        w = best_fit(X[rest] - X[rest].mean(0), y[rest])
        terms = (X[i] - X[rest].mean(0)) * w[:-1]
        f[i] = terms[:3].sum(), terms[3:].sum()
        r[i] = y[i] - y[rest].mean()

    shares, R2 = importance([key_of(a.tolist()), key_of(b.tolist())], y)

    assert pytest.approx(1 - np.sum((r - f.sum(1)) ** 2) / np.sum(r**2)) == R2
    expected = [np.sum(f[:, k] * (2 * r - f.sum(1))) / np.sum(r**2) for k in (0, 1)]
    np.testing.assert_allclose(shares, expected)


def test_shares_of_a_known_sum():
    rng = np.random.default_rng(0)
    x, z, idle = rng.uniform(-1, 1, (3, 200))
    y = -3 * x**2 + np.sign(z) + rng.normal(0, 0.1, 200)

    shares, R2 = importance([line(x), line(np.sign(z)), line(idle)], y)

    variance = np.array([np.var(3 * x**2), np.var(np.sign(z)), 0]) / np.var(y)
    np.testing.assert_allclose(shares, variance, atol=0.05)
    assert pytest.approx(shares.sum()) == R2
    assert R2 > 0.95


@pytest.mark.parametrize("seed", range(5))
def test_noise_explains_nothing(seed):
    rng = np.random.default_rng(seed)
    keys = [line(rng.uniform(size=60)) for _ in range(4)]

    shares, R2 = importance(keys, rng.normal(size=60))

    assert R2 < 0.1
    assert max(shares) < 0.1


def test_numbers_are_fitted_between_five_knots():
    x = np.arange(81.0)
    peak = np.interp(x, [0, 20, 40, 60, 80], [0, 1, 0, 1, 0])  # can be told from 5 knots

    assert importance([line(x)], peak)[1] > 0.99
    assert importance([line(x)], peak[::-1] * (x % 2))[1] < 0.7


def test_configurations_without_a_score_are_left_out():
    x = np.arange(12.0)
    y = np.array([np.nan, *(x[1:] ** 2)])

    got = importance([line(x)], y)
    expected = importance([Key("key", [], x[1:], "linear")], y[1:])

    assert got[1] == pytest.approx(expected[1], abs=0.1)
    assert np.isfinite(got[1])


@pytest.mark.parametrize("scores", [[], [1.0], [2.0, 2.0, 2.0], [np.nan, 1.0, np.nan]])
def test_nothing_to_explain(scores):
    shares, R2 = importance([line(np.arange(len(scores))), line([0.0] * len(scores))], scores)

    assert np.isnan(R2)
    assert np.isnan(shares).tolist() == [True, True]
