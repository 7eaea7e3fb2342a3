import numpy as np
import pytest

from lagom.transform.summary import Describe, describe, explained_variance


def test_describe_numbers():
    d = describe([1, 2, 3, 4])

    assert d == Describe(count=4, mean=2.5, std=1.25**0.5, min=1, max=4)
    assert [type(v) for v in (d.count, d.mean, d.std, d.min, d.max)] == [
        *(int, float, float),
        *(int, int),
    ]


def test_describe_one_number():
    assert describe([3.5]) == Describe(1, 3.5, 0.0, 3.5, 3.5)


@pytest.mark.parametrize(
    ("axis", "count", "mean", "std", "low", "high"),
    [
        (0, 2, [2.5, 3.5, 4.5], [1.5, 1.5, 1.5], [1, 2, 3], [4, 5, 6]),
        (1, 3, [2, 5], [(2 / 3) ** 0.5] * 2, [1, 4], [3, 6]),
        (-1, 3, [2, 5], [(2 / 3) ** 0.5] * 2, [1, 4], [3, 6]),
    ],
)
def test_describe_along_an_axis(axis, count, mean, std, low, high):
    d = describe([[1, 2, 3], [4, 5, 6]], axis)

    assert d.count == count
    np.testing.assert_allclose(d.mean, mean, rtol=1e-12)
    np.testing.assert_allclose(d.std, std, rtol=1e-12)
    assert d.min.tolist() == low
    assert d.max.tolist() == high


def test_describe_the_last_axis_by_default():
    assert describe(np.ones((2, 3))).count == 3


def test_describe_computes_in_float64():
    x = np.full(1000, 0.1, np.float32)
    x[0] = 1e4

    d = describe(x)

    assert d.mean == pytest.approx(np.mean(x, dtype=np.float64), rel=1e-12)
    assert d.std == pytest.approx(np.std(x.astype(np.float64)), rel=1e-12)


@pytest.mark.parametrize("x", [None, [], np.zeros((3, 0))])
def test_describe_nothing(x):
    assert describe(x) is None


def test_describe_in_words():
    assert repr(describe([1, 2])) == "count: 2\nmean: 1.5\nstd: 0.5\nmin: 1\nmax: 2"
    assert repr(describe([0.5], repr_indent=2, repr_prefix="> ")) == (
        "> \t\tcount: 1\n\t\tmean: 0.5\n\t\tstd: 0.0\n\t\tmin: 0.5\n\t\tmax: 0.5"
    )


@pytest.mark.parametrize(("x", "axis"), [(1.0, -1), ([1.0], 1), ([[1.0]], -3)])
def test_describe_refuses_an_axis_that_is_not_there(x, axis):
    with pytest.raises(ValueError, match=rf"describe: x has shape .*; expected an axis {axis}"):
        describe(x, axis)


TRUE = [[0.5, 1], [-1, 1], [7, -6]]
PRED = [[0, 2], [-1, 2], [8, -5]]
# Sums of squared deviations by hand: 217 / 6 in the first column, 7 / 6 in its error; 98 / 3 in the
# second, whose error is -1 everywhere.
FIRST = 1 - 7 / 217


@pytest.mark.parametrize(
    ("multioutput", "expected"),
    [
        ("raw_values", [FIRST, 1]),
        ("uniform_average", (FIRST + 1) / 2),
        ("variance_weighted", (217 / 6 * FIRST + 98 / 3) / (217 / 6 + 98 / 3)),
        ([3, 1], (3 * FIRST + 1) / 4),
        (np.array([0.0, 0.2]), 1),
    ],
)
def test_several_outputs(multioutput, expected):
    score = explained_variance(TRUE, PRED, multioutput=multioutput)

    np.testing.assert_allclose(score, expected, rtol=1e-12)
    assert type(score) is (np.ndarray if np.ndim(expected) else float)


def test_raw_value_of_one_output():
    assert explained_variance([0, 1], [0, 2], multioutput="raw_values").tolist() == [0.0]


def test_a_weight_is_a_repetition():
    rng = np.random.default_rng(0)
    y_true, y_pred = rng.normal(size=(2, 5, 3))
    weights = [2, 0, 1, 3, 1]

    for multioutput in ("raw_values", "uniform_average", "variance_weighted", [1, 2, 3]):
        np.testing.assert_allclose(
            explained_variance(y_true, y_pred, sample_weight=weights, multioutput=multioutput),
            explained_variance(
                np.repeat(y_true, weights, 0),
                np.repeat(y_pred, weights, 0),
                multioutput=multioutput,
            ),
            rtol=1e-12,
        )


@pytest.mark.parametrize(
    ("y_true", "y_pred", "expected"),
    [
        ([1, 2, 3], [11, 12, 13], 1.0),  # an offset is forgiven
        ([1, 2, 3], [7, 7, 7], 0.0),
        ([1, 2, 3], [3, 2, 1], -3.0),
        ([2, 2, 2], [2, 2, 2], 1.0),
        ([2, 2, 2], [1, 2, 3], 0.0),
        ([0.1] * 3, [1, 2, 3], 0.0),  # 0.1 + 0.1 + 0.1 is not 0.3
        ([0.1] * 3, [0.3] * 3, 1.0),
        ([[3.0], [4.0]], [3.0, 4.0], 1.0),
        ([3.0], [2.0], 1.0),
    ],
)
def test_scores(y_true, y_pred, expected):
    assert explained_variance(y_true, y_pred) == pytest.approx(expected, abs=1e-12)


def test_only_weighted_samples_make_a_truth_vary():
    score = explained_variance([5] + [0.3] * 10, range(11), sample_weight=[0] + [1] * 10)

    assert score == 0.0


def test_no_variance_to_weight_by():
    y_true, y_pred = [[1, 2], [1, 2]], [[1, 2], [1, 3]]

    assert explained_variance(y_true, y_pred, multioutput="variance_weighted") == 0.5


@pytest.mark.parametrize(
    ("y_true", "y_pred"),
    [
        ([1, 2, np.nan], [1, 2, 3]),
        ([1, 2, 3], [1, 2, np.inf]),
        ([2, 2, 2], [1, 2, np.nan]),
        ([1, 2, np.inf], [1, 2, np.inf]),
    ],
)
def test_what_is_not_finite_gives_nan(y_true, y_pred):
    assert np.isnan(explained_variance(y_true, y_pred))


@pytest.mark.parametrize(
    ("y_true", "y_pred"),
    [([1, 2], [1, 2, 3]), ([], []), (np.zeros((2, 2, 2)), np.zeros((2, 2, 2)))],
)
def test_refuses_other_shapes(y_true, y_pred):
    with pytest.raises(ValueError, match="explained_variance: y_true has shape .* y_pred"):
        explained_variance(y_true, y_pred)


@pytest.mark.parametrize("weights", [[1, 1], [1, -1, 1], [0, 0, 0], [1, 1, np.nan], 1.0])
def test_refuses_sample_weights(weights):
    with pytest.raises(ValueError, match="sample_weight is .*; expected 3 weights"):
        explained_variance(TRUE, PRED, sample_weight=weights)


@pytest.mark.parametrize("weights", [[1], [0, 0], [2, -1]])
def test_refuses_weights_of_outputs(weights):
    with pytest.raises(ValueError, match="multioutput is .*; expected 2 weights"):
        explained_variance(TRUE, PRED, multioutput=weights)


def test_refuses_other_averages():
    with pytest.raises(ValueError, match="multioutput is 'mean'; expected 'uniform_average'"):
        explained_variance(TRUE, PRED, multioutput="mean")
