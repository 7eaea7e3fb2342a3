import numpy as np
import pytest

from lagom.es import ARS


@pytest.mark.parametrize("num_top", [None, 2])
def test_the_step_is_that_of_algorithm_2(num_top):
    es = ARS(np.zeros(3), 0.5, {"popsize": 8, "lr": 0.3, "num_top": num_top, "seed": 1})
    solutions = es.ask()
    values = np.array([4.0, -1.0, 2.0, 2.5, 0.0, 7.0, -3.0, 1.0])
    directions, pairs = solutions[::2] / 0.5, -values.reshape(4, 2)
    b = num_top or 4
    used = sorted(range(4), key=lambda k: -pairs[k].max())[:b]
    std = np.std([r for k in used for r in pairs[k]])
    step = sum((pairs[k][0] - pairs[k][1]) * directions[k] for k in used)

    es.tell(solutions, values)

    np.testing.assert_allclose(es.result.xfavorite, 0.3 / (b * std) * step, rtol=1e-9)
    assert es.result.stds.tolist() == [0.5] * 3
    assert es.num_top == b


def test_the_best_directions_are_those_with_one_good_candidate():
    es = ARS([0.0], 1.0, {"popsize": 4, "num_top": 1, "lr": 1.0, "seed": 1})
    z = es.ask()[::2, 0]
    es.tell(es.ask(), [0.0, 10.0, 4.0, 5.0])  # the first pair holds the best, and the worst

    assert es.result.xfavorite[0] == pytest.approx(2 * z[0])  # 10 / std(0, 10)


def test_refuses_more_directions_than_there_are():
    with pytest.raises(ValueError, match="ARS: num_top is 5; expected at most 4, half the popsize"):
        ARS([0.0], 1.0, {"popsize": 8, "num_top": 5})
    for value in (0, 1.5, "all"):
        with pytest.raises(ValueError, match="ARS: num_top is .*; expected a whole number of at"):
            ARS([0.0], 1.0, {"num_top": value})
