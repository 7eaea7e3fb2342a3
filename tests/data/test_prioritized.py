import numpy as np
import pytest
import torch

from lagom.data import PrioritizedReplayBuffer, Trajectory


def episode(start, T, **kwargs):
    """Observation ``i`` is [i], and so is the action there."""
    i = np.arange(start, start + T + 1)
    return Trajectory(i[:, None].astype(np.float32), i[:-1], np.ones(T), **kwargs)


def rows_of(replay):
    """Action -> row, of everything there."""
    D = replay.sample(50 * len(replay))
    return dict(zip(D["action"].tolist(), D["index"].tolist(), strict=True))


def with_errors(errors, **kwargs):
    """A buffer with actions 0, 1, ... of these TD errors."""
    replay = PrioritizedReplayBuffer(100, **kwargs)
    replay.add([episode(0, len(errors), terminated=True)])
    where = rows_of(replay)
    replay.update([where[i] for i in range(len(errors))], errors)
    return replay


@pytest.mark.parametrize(
    ("alpha", "expected"),
    [(1.0, [0.1, 0.4, 0.2, 0.3]), (0.0, [0.25] * 4), (2.0, [1 / 30, 16 / 30, 4 / 30, 9 / 30])],
)
def test_in_proportion_to_priorities(alpha, expected):
    replay = with_errors([1.0, -4.0, 2.0, -3.0], alpha=alpha)
    D = replay.sample(100_000)  # from as many stretches: no chance to speak of
    shares = np.bincount(D["action"]) / 100_000

    np.testing.assert_allclose(shares, expected, atol=1e-4)


def test_stretches():
    """Priorities 1 and 3: of four samples the first is the first, always."""
    replay = with_errors([1.0, 3.0], alpha=1.0)

    for _ in range(50):
        assert replay.sample(4)["action"].tolist() == [0, 1, 1, 1]


@pytest.mark.parametrize("beta", [0.0, 0.4, 1.0])
def test_weights(beta):
    """By the definition: (M P(i))^-beta over the largest of all, whether that was drawn or not."""
    errors, alpha = np.array([0.5, 4.0, 2.0]), 0.6
    replay = with_errors(errors, alpha=alpha, beta=beta)
    P = (errors + 1e-6) ** alpha / ((errors + 1e-6) ** alpha).sum()
    w = (3 * P) ** -beta
    D = replay.sample(200)

    np.testing.assert_allclose(D["weight"], (w / w.max())[D["action"]], rtol=1e-6)
    assert D["weight"].dtype == np.float32
    assert D["weight"].max() == 1
    assert len({*D["action"].tolist()}) == 3

    replay.beta = 0.7
    alone = replay.sample(1)
    np.testing.assert_allclose(
        alone["weight"],
        ((0.5 + 1e-6) / (errors + 1e-6))[alone["action"]] ** (alpha * 0.7),
        rtol=1e-6,
    )


def test_new_ones_enter_with_the_largest_priority_so_far():
    replay = with_errors([0.5, 0.25], alpha=0.5, beta=2.0)  # weights as of 1 and 1
    replay.add([episode(10, 1, terminated=True)])  # 1, from the beginning
    where = rows_of(replay)
    replay.update([where[0]], [7.0])
    replay.update([where[0]], [2.0])
    replay.add([episode(20, 1, terminated=True)])
    D = replay.sample(500)
    weight = dict(zip(D["action"].tolist(), D["weight"].tolist(), strict=True))

    smallest = 0.25 + 1e-6
    assert weight == {
        0: pytest.approx(smallest / 2.0, rel=1e-5),
        1: 1.0,
        10: pytest.approx(smallest / 1.0, rel=1e-5),
        20: pytest.approx(smallest / 7.0, rel=1e-5),
    }


def test_no_error_is_drawn_still():
    replay = with_errors([0.0, 0.0], alpha=1.0)

    assert {*replay.sample(20)["action"].tolist()} == {0, 1}


def test_of_equal_indices_the_last_counts():
    replay = with_errors([1.0, 1.0], alpha=1.0, beta=1.0)
    where = rows_of(replay)
    replay.update([where[1], where[1], where[1]], [9.0, 2.0, 4.0])

    np.testing.assert_allclose(
        np.bincount(replay.sample(50_000)["action"]) / 50_000, [0.2, 0.8], 1e-3
    )


def test_tensors_serve():
    replay = with_errors(torch.tensor([1.0, 3.0]), alpha=1.0)

    assert replay.sample(4)["action"].tolist() == [0, 1, 1, 1]


@pytest.mark.parametrize(("capacity", "num_stream"), [(7, 1), (24, 3)])
@pytest.mark.parametrize("n_step", [1, 3])
def test_priorities_stay_with_their_transitions(capacity, num_stream, n_step):
    """Against a dictionary from action to priority, while rows are overwritten."""
    rng = np.random.default_rng(0)
    replay = PrioritizedReplayBuffer(capacity, num_stream, n_step, alpha=1.0, beta=1.0)
    priority, largest, start = {}, 1.0, 0
    for _ in range(60):
        T, end = int(rng.integers(1, 6)), rng.random() < 0.5
        tau = episode(start, T, terminated=end, stream=int(rng.integers(num_stream)))
        replay.add([tau])
        priority.update({int(action): largest for action in tau.actions})
        start += T + 1
        D = replay.sample(4000)
        priority = {action: priority[action] for action in {*D["action"].tolist()}}
        assert len(priority) == len(replay)

        p = np.array([priority[action] for action in D["action"].tolist()])
        np.testing.assert_allclose(D["weight"], min(priority.values()) / p, rtol=1e-6)
        counts = {a: (D["action"] == a).mean() * sum(priority.values()) for a in priority}
        assert counts == pytest.approx(priority, abs=0.01 * sum(priority.values()))

        error = rng.uniform(0.5, 3, size=3)
        index = D["index"][:1000:400]
        replay.update(index, -error)
        priority.update(zip(D["action"][:1000:400].tolist(), error + 1e-6, strict=True))
        largest = max(largest, error.max() + 1e-6)


@pytest.mark.parametrize("capacity", [8, 40])
def test_it_goes_on_from_its_state(capacity):
    replay = PrioritizedReplayBuffer(capacity, 2, n_step=2)
    for step in range(12):
        other = PrioritizedReplayBuffer(capacity, 2, n_step=2, seed=9)
        other.add([episode(3, 15, stream=1)])  # forgotten
        other.load_state_dict(replay.state_dict())
        replay.beta += 0.01
        other.beta += 0.01
        tau = episode(100 * step, 4, terminated=step % 3 == 0, stream=step % 2)
        D = []
        for x in (replay, other):
            x.add([tau])
            D.append(x.sample(30))
            x.update(D[-1]["index"], np.sin(D[-1]["action"]) * step)
        for key in D[0]:
            np.testing.assert_array_equal(D[0][key], D[1][key])


def test_annealed_weights_are_remembered():
    replay, other = PrioritizedReplayBuffer(10), PrioritizedReplayBuffer(10)
    replay.beta = 0.9
    other.load_state_dict(replay.state_dict())

    assert other.beta == 0.9


def test_generators():
    replay = with_errors(np.ones(90))
    own, one, two = (replay.sample(9, rng)["index"].tolist() for rng in (None, *rngs(1, 1)))

    assert one == two != own != replay.sample(9)["index"].tolist()


def rngs(*seeds):
    return map(np.random.default_rng, seeds)


def test_nbytes_counts_the_trees():
    replay = PrioritizedReplayBuffer(1000)
    replay.add([episode(0, 3)])
    trees = [level.nbytes for tree in (replay._sums, replay._minima) for level in tree._levels]

    assert replay.nbytes - 1001 * (8 + 4 + 4 + 2 + 6 + 1) == pytest.approx(sum(trees), rel=0.01)


@pytest.mark.parametrize("kwargs", [{"alpha": -0.1}, {"beta": -1}])
def test_exponents_that_cannot_be(kwargs):
    with pytest.raises(
        ValueError, match="PrioritizedReplayBuffer: alpha is .*; expected 0 or more"
    ):
        PrioritizedReplayBuffer(10, **kwargs)


def test_samples_that_cannot_be():
    with pytest.raises(
        ValueError, match=r"PrioritizedReplayBuffer.sample: N is 4, of 0 transitions"
    ):
        PrioritizedReplayBuffer(10).sample(4)
    with pytest.raises(
        ValueError, match=r"PrioritizedReplayBuffer.sample: N is 0, of 1 transitions"
    ):
        with_errors([1.0]).sample(0)


def test_updates_that_cannot_be():
    replay = with_errors([1.0, 2.0])
    with pytest.raises(
        ValueError, match=r"td_error has shape \(2, 1\); expected \(2,\), that of i"
    ):
        replay.update([0, 1], [[1.0], [2.0]])
    for wrong in (np.nan, np.inf):
        with pytest.raises(FloatingPointError, match="a TD error that is not finite"):
            replay.update([0, 1], [1.0, wrong])
