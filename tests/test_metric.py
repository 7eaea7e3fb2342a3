import numpy as np
import pytest
import torch

from lagom.metric import bootstrapped_returns, gae, returns, td0_error, td0_target, vtrace

close = {"rtol": 1e-5, "atol": 1e-5}


def gae_by_definition(gamma, lam, rewards, Vs, last_V, reach_terminal):
    """Every advantage is its own sum of discounted TD errors, in Python floats."""
    T = len(rewards)
    next_Vs = [*map(float, Vs[1:]), 0.0 if reach_terminal else float(last_V)]
    delta = [float(rewards[t]) + gamma * next_Vs[t] - float(Vs[t]) for t in range(T)]
    return [sum((gamma * lam) ** (k - t) * delta[k] for k in range(t, T)) for t in range(T)]


def returns_by_definition(gamma, rewards, last_V=0.0):
    T = len(rewards)
    return [
        sum(gamma ** (k - t) * float(rewards[k]) for k in range(t, T)) + gamma ** (T - t) * last_V
        for t in range(T)
    ]


def vtrace_by_definition(b, t, gamma, R, V, last_V, clip_rho, clip_pg_rho):
    """Products of traces written out (the paper's equation 1), not the recursion."""
    T = len(R)
    rho = [float(np.exp(t[i] - b[i])) for i in range(T)]
    next_V = [*V[1:], last_V]
    delta = [min(clip_rho, rho[i]) * (R[i] + gamma * next_V[i] - V[i]) for i in range(T)]
    v = []
    for s in range(T):
        trace, total = 1.0, V[s]
        for i in range(s, T):
            total += gamma ** (i - s) * trace * delta[i]
            trace *= min(1.0, rho[i])
        v.append(total)
    next_v = [*v[1:], last_V]
    A = [min(clip_pg_rho, rho[i]) * (R[i] + gamma * next_v[i] - V[i]) for i in range(T)]
    return v, A


def batch(lengths, seed=0):
    """Random trajectories back to back, and where each begins and ends."""
    rng = np.random.default_rng(seed)
    N, M = sum(lengths), len(lengths)
    ends = np.cumsum(lengths)
    return (
        rng.normal(size=N),
        rng.normal(size=N),
        rng.normal(size=M),
        rng.random(M) < 0.5,
        [slice(end - T, end) for T, end in zip(lengths, ends, strict=True)],
    )


# Each row: gamma, rewards, Q
RETURNS = [
    (1.0, [1, 2, 3], [6, 5, 3]),
    (0.1, range(1, 9), [1.2345678, 2.345678, 3.45678, 4.5678, 5.678, 6.78, 7.8, 8]),
    (0.0, [1, 2, 3], [1, 2, 3]),
    (0.9, [4], [4]),
]


@pytest.mark.parametrize(("gamma", "rewards", "expected"), RETURNS)
def test_returns(gamma, rewards, expected):
    Q = returns(gamma, list(rewards))

    np.testing.assert_allclose(Q, expected, rtol=1e-6)
    assert type(Q) is np.ndarray
    assert Q.dtype == np.float32
    assert Q.shape == (len(rewards),)


@pytest.mark.parametrize(
    ("gamma", "rewards", "last_V", "reach_terminal", "expected"),
    [
        (0.5, [0.1, 0.2, 0.3, 0.4, 0.5], 2.0, False, [0.41875, 0.6375, 0.875, 1.15, 1.5]),
        (0.9, [1, 2, 3], 10, False, [12.52, 12.8, 12.0]),
        (1.0, [1, 2, 3], 10, True, [6, 5, 3]),
        (0.9, [1], 10, False, [10]),
    ],
)
def test_bootstrapped_returns(gamma, rewards, last_V, reach_terminal, expected):
    Q = bootstrapped_returns(gamma, rewards, last_V, reach_terminal)

    np.testing.assert_allclose(Q, expected, rtol=1e-6)
    assert Q.dtype == np.float32


@pytest.mark.parametrize(
    "last_V",
    [torch.tensor([[10.0]], requires_grad=True), torch.tensor(10.0), np.array(10.0), [10.0]],
    ids=["tensor 1x1", "tensor", "array", "list"],
)
def test_last_value_of_any_kind(last_V):
    Q = bootstrapped_returns(0.9, [1, 2, 3], last_V, False)

    np.testing.assert_allclose(Q, [12.52, 12.8, 12.0], rtol=1e-6)


@pytest.mark.parametrize(
    "Vs",
    [
        torch.tensor([0.1, 1.1, 2.1], requires_grad=True),
        [torch.tensor(v, requires_grad=True) for v in (0.1, 1.1, 2.1)],
        np.float32([0.1, 1.1, 2.1]),
        (0.1, 1.1, 2.1),
    ],
    ids=["tensor", "list of tensors", "float32", "tuple"],
)
def test_values_of_any_kind(Vs):
    A = gae(1.0, 0.5, torch.tensor([1, 2, 3]), Vs, 10, True)

    assert type(A) is np.ndarray
    np.testing.assert_allclose(A, [3.725, 3.45, 0.9], **close)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int64, bool, object])
def test_sums_are_in_float64_whatever_comes_in(dtype):
    rewards, Vs = np.random.default_rng(0).integers(0, 2, size=(2, 50)).astype(dtype)

    A = gae(0.99, 0.95, rewards, Vs, 1.0, False)
    v, _ = vtrace(Vs, rewards, 0.99, rewards, Vs, 1.0, False)

    floats = rewards.astype(np.float64), Vs.astype(np.float64)
    assert A.tolist() == gae(0.99, 0.95, *floats, 1.0, False).tolist()
    expected, _ = vtrace(floats[1], floats[0], 0.99, *floats, 1.0, False)
    assert v.tolist() == expected.tolist()


def test_nothing_is_rounded_to_float32_on_the_way():
    Q = bootstrapped_returns(1.0, np.float32([-1e8, 1e8]), 0.25, False)
    assert Q.tolist() == [0.25, 1e8]

    Q = bootstrapped_returns(1.0, [-(2**24), 2**24 + 1], 0.25, False)
    assert Q[0] == 1.25


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(2,), (2, 1), (40_000,)], ids=str)
def test_arguments_stay_as_they_were(dtype, shape):
    rewards, Vs = np.ones(shape, dtype), np.full(shape, 2, dtype)

    gae(0.9, 0.9, rewards, Vs, 1.0, False)
    vtrace(Vs, Vs, 0.9, rewards, Vs, 1.0, False)
    bootstrapped_returns(0.9, rewards, 1.0, False)
    td0_error(0.9, rewards, Vs, 1.0, False)

    assert (rewards == 1).all()
    assert (Vs == 2).all()


# Each row: gamma, reach_terminal, targets; errors are the targets minus [1, 2, 3, 4]
TD0 = [
    (0.1, True, [0.3, 0.5, 0.7, 0.4]),
    (0.1, False, [0.3, 0.5, 0.7, 4.4]),
    (0.5, False, [1.1, 1.7, 2.3, 20.4]),
    (0.0, False, [0.1, 0.2, 0.3, 0.4]),
]


@pytest.mark.parametrize(("gamma", "reach_terminal", "expected"), TD0)
def test_td0(gamma, reach_terminal, expected):
    rewards, Vs = [0.1, 0.2, 0.3, 0.4], [1, 2, 3, 4]

    target = td0_target(gamma, rewards, Vs, 40, reach_terminal)
    error = td0_error(gamma, rewards, Vs, 40, reach_terminal)

    np.testing.assert_allclose(target, expected, rtol=1e-6)
    np.testing.assert_allclose(error, np.subtract(expected, Vs), **close)
    assert target.dtype == error.dtype == np.float32


@pytest.mark.parametrize(
    ("gamma", "lam", "rewards", "Vs", "last_V", "reach_terminal", "expected"),
    [
        (1.0, 0.5, [1, 2, 3], [0.1, 1.1, 2.1], 10, True, [3.725, 3.45, 0.9]),
        (1.0, 0.5, [1, 2, 3], [0.5, 1.5, 2.5], 99, True, [3.625, 3.25, 0.5]),
        (
            *(0.1, 0.2, [1, 2, 3, 4, 5], [0.1, 1.1, 2.1, 3.1, 4.1], 10, False),
            [1.03269478, 1.1347393, 1.23696, 1.348, 1.9],
        ),
        (
            *(0.99, 0.95, [1, 0, -1, 2], [0.5, 0.4, 0.3, 0.2], 0.7, False),
            [1.8983170366, 1.0657278432, 1.2426665, 2.493],
        ),
        (0.9, 1.0, [1, 2, 3], [0.5, 0.5, 0.5], 10, False, [12.02, 12.3, 11.5]),
    ],
)
def test_gae(gamma, lam, rewards, Vs, last_V, reach_terminal, expected):
    A = gae(gamma, lam, rewards, Vs, last_V, reach_terminal)

    np.testing.assert_allclose(A, expected, **close)
    assert A.dtype == np.float32


@pytest.mark.parametrize("T", [1, 2, 50])
@pytest.mark.parametrize("gamma", [0.0, 0.9, 1.0])
@pytest.mark.parametrize("lam", [0.0, 0.9, 1.0])
@pytest.mark.parametrize("reach_terminal", [True, False])
def test_gae_is_its_definition(T, gamma, lam, reach_terminal):
    rewards, Vs, (last_V,), _, _ = batch([T])

    A = gae(gamma, lam, rewards, Vs, last_V, reach_terminal)

    expected = gae_by_definition(gamma, lam, rewards, Vs, last_V, reach_terminal)
    np.testing.assert_allclose(A, expected, **close)


def test_gae_of_columns():
    rewards, Vs = np.random.default_rng(0).normal(size=(2, 7, 3))
    last_V, terminal = np.array([1.0, 2.0, 3.0]), np.array([True, False, True])

    A = gae(0.9, 0.8, rewards, Vs, last_V, terminal)

    assert A.shape == (7, 3)
    for b in range(3):
        expected = gae_by_definition(0.9, 0.8, rewards[:, b], Vs[:, b], last_V[b], terminal[b])
        np.testing.assert_allclose(A[:, b], expected, **close)


def gae_by_loop(gamma, lam, rewards, Vs, last_V):
    A, next_V, out = 0.0, last_V, []
    for reward, V in zip(rewards[::-1].tolist(), Vs[::-1].tolist(), strict=True):
        A = reward + gamma * next_V - V + gamma * lam * A
        next_V = V
        out.append(A)
    return out[::-1]


@pytest.mark.parametrize(("gamma", "lam"), [(1.0, 1.0), (0.99, 0.95)])
def test_gae_of_a_long_trajectory(gamma, lam):
    rewards, Vs = np.random.default_rng(0).normal(1, 1, size=(2, 100_000)).astype(np.float32)

    A = gae(gamma, lam, rewards, Vs, 0.5, False)

    # All but the last rounding happen in float64.
    expected = gae_by_loop(gamma, lam, rewards, Vs, 0.5)
    np.testing.assert_allclose(A, expected, rtol=1e-7, atol=1e-9)


def test_gae_of_long_columns():
    rewards, Vs = np.random.default_rng(0).normal(size=(2, 5_001, 3)).astype(np.float32)

    A = gae(0.99, 0.95, rewards, Vs, [1.0, 2.0, 3.0], [False, True, False])

    for b, last_V in enumerate([1.0, 0.0, 3.0]):
        expected = gae_by_loop(0.99, 0.95, rewards[:, b], Vs[:, b], last_V)
        np.testing.assert_allclose(A[:, b], expected, rtol=1e-7, atol=1e-9)


LENGTHS = [[1], [1, 1, 1], [3, 1, 4, 1, 5], [50, 2, 1, 200]]


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize("decay", [0.0, 0.95, 1.0])
def test_trajectories_back_to_back_do_not_see_each_other(lengths, decay):
    rewards, Vs, last_Vs, terminal, parts = batch(lengths)

    A = gae(decay, decay, rewards, Vs, last_Vs, terminal, lengths=lengths)
    Q = bootstrapped_returns(decay, rewards, last_Vs, terminal, lengths=lengths)
    R = returns(decay, rewards, lengths=lengths)
    target = td0_target(decay, rewards, Vs, last_Vs, terminal, lengths=lengths)
    error = td0_error(decay, rewards, Vs, last_Vs, terminal, lengths=lengths)

    for m, i in enumerate(parts):
        last_V = 0.0 if terminal[m] else last_Vs[m]
        expected = gae_by_definition(decay, decay, rewards[i], Vs[i], last_V, False)
        np.testing.assert_allclose(A[i], expected, **close)
        expected = returns_by_definition(decay, rewards[i], last_V)
        np.testing.assert_allclose(Q[i], expected, **close)
        np.testing.assert_allclose(R[i], returns_by_definition(decay, rewards[i]), **close)
        expected = rewards[i] + decay * np.append(Vs[i][1:], last_V)
        np.testing.assert_allclose(target[i], expected, **close)
        np.testing.assert_allclose(error[i], expected - Vs[i], **close)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("T", [3, 3_000])
def test_what_is_not_finite_stays_in_its_trajectory(bad, T):
    R, V = np.random.default_rng(0).normal(size=(2, T, 3))
    R_bad = R.copy()
    R_bad[T // 2, 1] = bad
    zeros = np.zeros_like(R)

    for f in (
        lambda R: gae(0.9, 0.9, R, V, 1.0, False),
        lambda R: returns(0.9, R),
        lambda R: vtrace(zeros, zeros, 0.9, R, V, 1.0, False)[0],
        lambda R: vtrace(zeros, zeros, 0.9, R, V, 1.0, False)[1],
        lambda R: (
            gae(0.9, 0.9, R.T.ravel(), V.T.ravel(), 1, False, lengths=[T] * 3).reshape(3, T).T
        ),
    ):
        y, expected = f(R_bad), f(R)

        np.testing.assert_equal(y[: T // 2 + 1, 1], bad)
        np.testing.assert_allclose(y[T // 2 + 1 :, 1], expected[T // 2 + 1 :, 1], **close)
        np.testing.assert_allclose(y[:, [0, 2]], expected[:, [0, 2]], **close)


def test_lengths_may_share_one_last_value():
    A = gae(0.5, 1.0, [1, 1, 1], [0, 0, 0], 2.0, False, lengths=[1, 2])

    assert A.tolist() == [2, 2, 2]


ON_POLICY = np.log([0.5, 0.5, 0.5])
OFF_POLICY = np.log([0.25, 0.5, 0.9])  # rho = [0.5, 1, 1.8]


@pytest.mark.parametrize(
    ("target_logprobs", "clips", "vs", "As"),
    [
        (ON_POLICY, {}, [12.52, 12.8, 12.0], [12.02, 11.8, 10.5]),
        (OFF_POLICY, {}, [6.51, 12.8, 12.0], [6.01, 11.8, 10.5]),
        (
            OFF_POLICY,
            {"clip_rho": 2.0, "clip_pg_rho": 1.5},
            [9.912, 20.36, 20.4],
            [9.412, 19.36, 15.75],
        ),
        (
            OFF_POLICY[::-1],
            {"clip_rho": 2.0, "clip_pg_rho": 1.5},
            [9.3875, 8.075, 6.75],
            [11.65125, 7.075, 5.25],
        ),
    ],
)
def test_vtrace(target_logprobs, clips, vs, As):
    v, A = vtrace(ON_POLICY, target_logprobs, 0.9, [1, 2, 3], [0.5, 1, 1.5], 10, False, **clips)

    np.testing.assert_allclose(v, vs, **close)
    np.testing.assert_allclose(A, As, **close)
    assert v.dtype == A.dtype == np.float32


@pytest.mark.parametrize("lengths", [*LENGTHS, [400] * 12], ids=str)
@pytest.mark.parametrize("gamma", [0.0, 0.9, 1.0])
@pytest.mark.parametrize("clips", [(1.0, 1.0), (0.5, 2.0)])
def test_vtrace_is_its_definition(lengths, gamma, clips):
    R, V, last_Vs, terminal, parts = batch(lengths)
    b, t = np.random.default_rng(1).normal(-1, 0.3, size=(2, len(R)))

    v, A = vtrace(b, t, gamma, R, V, last_Vs, terminal, *clips, lengths=lengths)

    for m, i in enumerate(parts):
        last_V = 0.0 if terminal[m] else last_Vs[m]
        expected = vtrace_by_definition(b[i], t[i], gamma, R[i], V[i], last_V, *clips)
        np.testing.assert_allclose(v[i], expected[0], **close)
        np.testing.assert_allclose(A[i], expected[1], **close)


def test_vtrace_of_columns():
    b, t, R, V = np.random.default_rng(0).normal(size=(4, 5, 2))

    v, A = vtrace(b, t, 0.9, R, V, [1.0, 2.0], False)

    for i in range(2):
        column = (b[:, i], t[:, i], 0.9, R[:, i], V[:, i], i + 1.0, 1.0, 1.0)
        expected = vtrace_by_definition(*column)
        np.testing.assert_allclose(v[:, i], expected[0], **close)
        np.testing.assert_allclose(A[:, i], expected[1], **close)


def test_vtrace_refuses_columns_of_logprobs():
    with pytest.raises(ValueError, match=r"logprobs: got shape \(3, 1\); expected \(3,\)"):
        vtrace(ON_POLICY[:, None], ON_POLICY[:, None], 0.9, [1, 2, 3], [1, 2, 3], 0, False)


@pytest.mark.parametrize("rewards", [[], 1.0, np.zeros((2, 2, 2))], ids=["empty", "scalar", "3-d"])
def test_rewards_of_wrong_shape(rewards):
    with pytest.raises(ValueError, match=r"rewards: got shape .*; expected \[T\] or \[T, B\]"):
        returns(0.9, rewards)


def test_values_of_wrong_shape():
    with pytest.raises(ValueError, match=r"Vs: got shape \(2, 1\); expected \(2,\)"):
        td0_error(0.9, [1, 2], [[1], [2]], 0, False)


def test_last_values_of_wrong_shape():
    with pytest.raises(ValueError, match=r"last_V: got shape \(2,\) for rewards of shape \(2, 3\)"):
        bootstrapped_returns(0.9, np.zeros((2, 3)), [1, 2], False)
    with pytest.raises(ValueError, match=r"reach_terminal: .*; expected \(\) or \(1,\)"):
        bootstrapped_returns(0.9, [1, 2], 0, [False, False])


@pytest.mark.parametrize("lengths", [[], [1], [2, 0], [3, -1], [2, 1]], ids=str)
def test_lengths_that_do_not_add_up(lengths):
    with pytest.raises(ValueError, match=r"lengths: got .* for rewards of shape \(2,\); expected"):
        returns(0.9, [1, 2], lengths=lengths)


def test_lengths_want_flat_rewards():
    with pytest.raises(ValueError, match=r"lengths: got \[4\] for rewards of shape \(2, 2\)"):
        returns(0.9, np.zeros((2, 2)), lengths=[4])
