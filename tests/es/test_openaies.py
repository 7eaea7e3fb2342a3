import numpy as np
import pytest

from lagom.es import OpenAIES


def adam(gradients, lr, beta1=0.9, beta2=0.999):
    """Positions after each ascending step from zero, by the definition."""
    m = v = x = 0.0
    for t, g in enumerate(gradients, 1):
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g
        x += lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + 1e-8)
        yield x


@pytest.mark.parametrize("mirrored", [True, False])
@pytest.mark.parametrize("rank", [True, False])
def test_the_mean_follows_adam_on_the_gradient(rank, mirrored):
    opts = {"popsize": 6, "lr": 0.3, "lr_decay": 0.5, "rank": rank, "mirrored": mirrored, "seed": 1}
    es = OpenAIES(np.zeros(2), 0.5, opts)
    solutions = es.ask()
    values = np.array([x[0] + 3 * x[1] ** 2 for x in solutions])
    z = solutions / 0.5
    if rank:
        u = 0.5 - np.argsort(np.argsort(values)) / 5
    else:
        u = (values.mean() - values) / values.std()
    g = sum(ui * zi for ui, zi in zip(u, z, strict=True)) / (6 * 0.5)

    es.tell(solutions, values)

    np.testing.assert_allclose(es.result.xfavorite, [next(adam([x], 0.3)) for x in g], rtol=1e-6)
    np.testing.assert_allclose(np.abs(es.result.xfavorite), 0.3, rtol=1e-5)  # Adam's first step
    es.tell(es.ask(), np.zeros(6))  # nothing to follow: momentum carries on, with half the lr
    expected = [list(adam([x, 0.0], 0.3)) for x in g]
    moved = [a + 0.5 * (b - a) for a, b in expected]
    np.testing.assert_allclose(es.result.xfavorite, moved, rtol=1e-6)


def test_weight_decay_pulls_to_zero():
    es = OpenAIES([2.0, -3.0], 0.5, {"popsize": 2, "weight_decay": 0.1, "lr": 0.25, "seed": 1})
    es.tell(es.ask(), [1.0, 1.0])

    np.testing.assert_allclose(es.result.xfavorite, [1.75, -2.75], rtol=1e-6)


def test_sigma_goes_along_a_line():
    es = OpenAIES([0.0], 1.0, {"popsize": 2, "sigma_schedule": [0.2, 4], "seed": 1})
    sigmas = []
    for _ in range(6):
        sigmas.append(es.result.stds[0])
        es.tell(es.ask(), [0.0, 0.0])

    assert sigmas == pytest.approx([1.0, 0.8, 0.6, 0.4, 0.2, 0.2])


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("lr_decay", [0, 1.1]),
        ("beta1", [1, -0.1]),
        ("beta2", [1]),
        ("weight_decay", [-1]),
        ("rank", [1, "yes"]),
        ("sigma_schedule", [3, [1], [0, 5], [1, "x"]]),
    ],
)
def test_refuses_options_without_sense(key, values):
    for value in values:
        with pytest.raises(ValueError, match=f"OpenAIES: {key} is .*; expected "):
            OpenAIES([0.0], 1.0, {key: value})
