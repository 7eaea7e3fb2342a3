"""Returns, temporal differences and advantages: arrays in, float32 arrays out.

Every function takes one trajectory (``[T]``), ``B`` of equal length (``[T, B]``), or, with
``lengths``, ``M`` of any length back to back in flat arrays (``[N]``). Lists, arrays and tensors
will do; gradients do not pass. A trajectory never crosses the end of an episode, hence no masks.
"""

import numpy as np

from lagom.transform.sequence import backward_scan


def returns(gamma, rewards, *, lengths=None):
    r"""Discounted sums of the rewards to come, :math:`Q_t = r_t + \gamma Q_{t+1}`.

    Nothing is added for what lies beyond the last reward; see :func:`bootstrapped_returns`.

    Args:
        gamma (float): discount, in [0, 1].
        rewards (ndarray): ``[T]``, ``[T, B]`` or ``[N]``.
        lengths (ndarray, optional): ``[M]`` steps of each trajectory in flat arrays.

    Returns:
        ndarray: float32, shaped as ``rewards``.

    Raises:
        ValueError: if a shape does not fit.

    Example:
        >>> returns(0.1, [1, 2, 3])
        array([1.23, 2.3 , 3.  ], dtype=float32)
    """
    return bootstrapped_returns(gamma, rewards, 0.0, True, lengths=lengths)


def bootstrapped_returns(gamma, rewards, last_V, reach_terminal, *, lengths=None):
    r"""Discounted sums of the rewards to come, closed by the value of the last state.

    .. math::
        Q_t = r_t + \gamma r_{t+1} + \dots + \gamma^{T-1-t} r_{T-1} + \gamma^{T-t} V(s_T)

    Args:
        gamma (float): discount, in [0, 1].
        rewards (ndarray): ``[T]``, ``[T, B]`` or ``[N]``.
        last_V (float or ndarray): scalar, ``[B]`` or ``[M]``, value of ``s_T``.
        reach_terminal (bool or ndarray): scalar, ``[B]`` or ``[M]``; see :func:`gae`.
        lengths (ndarray, optional): ``[M]`` steps of each trajectory in flat arrays.

    Returns:
        ndarray: float32, shaped as ``rewards``.

    Raises:
        ValueError: if a shape does not fit.

    Example:
        >>> bootstrapped_returns(0.5, [1.0, 2.0], 4.0, reach_terminal=False)
        array([3., 4.], dtype=float32)
    """
    D = _Trajectories(rewards, lengths)
    Q = D.rewards.astype(np.float64)
    Q[D.ends] += gamma * D.last(last_V, reach_terminal)
    return D.out(backward_scan(gamma, Q, D.ends))


def td0_target(gamma, rewards, Vs, last_V, reach_terminal, *, lengths=None):
    r"""One-step targets, :math:`r_t + \gamma V(s_{t+1})`.

    Args:
        gamma (float): discount, in [0, 1].
        rewards (ndarray): ``[T]``, ``[T, B]`` or ``[N]``; ``rewards[t]`` follows the action in
            ``s_t``.
        Vs (ndarray): as ``rewards``, values of ``s_0 ... s_{T-1}``.
        last_V (float or ndarray): scalar, ``[B]`` or ``[M]``, value of ``s_T``.
        reach_terminal (bool or ndarray): scalar, ``[B]`` or ``[M]``; see :func:`gae`.
        lengths (ndarray, optional): ``[M]`` steps of each trajectory in flat arrays.

    Returns:
        ndarray: float32, shaped as ``rewards``.

    Raises:
        ValueError: if a shape does not fit.

    Example:
        >>> td0_target(0.5, [1.0, 2.0], [3.0, 4.0], 8.0, reach_terminal=False)
        array([3., 6.], dtype=float32)
    """
    D = _Trajectories(rewards, lengths)
    last = D.last(last_V, reach_terminal)
    return D.out(D.rewards + gamma * D.following(D.flat("Vs", Vs), last))


def td0_error(gamma, rewards, Vs, last_V, reach_terminal, *, lengths=None):
    r"""One-step errors, :math:`\delta_t = r_t + \gamma V(s_{t+1}) - V(s_t)`.

    Args:
        gamma (float): discount, in [0, 1].
        rewards (ndarray): ``[T]``, ``[T, B]`` or ``[N]``; ``rewards[t]`` follows the action in
            ``s_t``.
        Vs (ndarray): as ``rewards``, values of ``s_0 ... s_{T-1}``.
        last_V (float or ndarray): scalar, ``[B]`` or ``[M]``, value of ``s_T``.
        reach_terminal (bool or ndarray): scalar, ``[B]`` or ``[M]``; see :func:`gae`.
        lengths (ndarray, optional): ``[M]`` steps of each trajectory in flat arrays.

    Returns:
        ndarray: float32, shaped as ``rewards``.

    Raises:
        ValueError: if a shape does not fit.

    Example:
        >>> td0_error(0.5, [1.0, 2.0], [3.0, 4.0], 8.0, reach_terminal=False)
        array([0., 2.], dtype=float32)
    """
    D = _Trajectories(rewards, lengths)
    V, last = D.flat("Vs", Vs), D.last(last_V, reach_terminal)
    return D.out(D.rewards + gamma * D.following(V, last) - V)


def gae(gamma, lam, rewards, Vs, last_V, reach_terminal, *, lengths=None):
    r"""Generalized advantage estimates of one trajectory or of many.

    With TD errors :math:`\delta_t = r_t + \gamma V(s_{t+1}) - V(s_t)`,

    .. math::
        A_t = \delta_t + \gamma \lambda A_{t+1}, \qquad A_T = 0.

    ``lam=0`` gives the TD error (low variance, biased by ``V``); ``lam=1`` gives the
    bootstrapped return minus ``V(s_t)`` (unbiased where ``V`` is only a baseline).

    Args:
        gamma (float): discount, in [0, 1].
        lam (float): trace decay, in [0, 1].
        rewards (ndarray): ``[T]``, ``[T, B]`` or ``[N]``; ``rewards[t]`` follows the action in
            ``s_t``.
        Vs (ndarray): as ``rewards``, values of ``s_0 ... s_{T-1}``.
        last_V (float or ndarray): scalar, ``[B]`` or ``[M]``, value of ``s_T``, the state after the
            last action.
        reach_terminal (bool or ndarray): scalar, ``[B]`` or ``[M]``, whether ``s_T`` is terminal;
            its value then counts as zero.  A trajectory cut by a time limit is *not* terminal.
        lengths (ndarray, optional): ``[M]`` steps of each trajectory in flat arrays, at least one
            each, ``N`` in all.

    Returns:
        ndarray: float32 advantages, shaped as ``rewards``, not normalized.

    Raises:
        ValueError: if a shape does not fit.

    Example:
        >>> gae(0.5, 1.0, [0.0, 1.0], [0.2, 0.4], 9.0, reach_terminal=True)
        array([0.3, 0.6], dtype=float32)
        >>> gae(0.5, 1.0, [0, 1, 1], [0.2, 0.4, 0.5], [9, 1], [True, False], lengths=[2, 1])
        array([0.3, 0.6, 1. ], dtype=float32)

    Reference:
        Schulman et al., High-Dimensional Continuous Control Using Generalized Advantage
        Estimation, 2016 (arXiv:1506.02438), eq. 16.
    """
    D = _Trajectories(rewards, lengths)
    V, last = D.flat("Vs", Vs), D.last(last_V, reach_terminal)
    delta = D.rewards + gamma * D.following(V, last) - V
    return D.out(backward_scan(gamma * lam, delta, D.ends))


def vtrace(
    behavior_logprobs,
    target_logprobs,
    gamma,
    Rs,
    Vs,
    last_V,
    reach_terminal,
    clip_rho=1.0,
    clip_pg_rho=1.0,
    *,
    lengths=None,
):
    r"""V-trace: value targets and advantages of one policy from the actions of another.

    With :math:`\rho_t = \pi(a_t | s_t) / \mu(a_t | s_t)` and :math:`c_t = \min(1, \rho_t)`,

    .. math::
        v_t &= V(s_t) + \min(\bar\rho, \rho_t) \, \delta_t
               + \gamma c_t \left( v_{t+1} - V(s_{t+1}) \right) \\
        A_t &= \min(\bar\rho_{pg}, \rho_t) \left( r_t + \gamma v_{t+1} - V(s_t) \right)

    On-policy, with both clips at 1 or above, ``v`` is the bootstrapped return.

    Args:
        behavior_logprobs (ndarray): as ``Rs``, :math:`\log \mu(a_t | s_t)`, the policy that acted.
        target_logprobs (ndarray): as ``Rs``, :math:`\log \pi(a_t | s_t)`, the policy that learns.
        gamma (float): discount, in [0, 1].
        Rs (ndarray): ``[T]``, ``[T, B]`` or ``[N]`` rewards.
        Vs (ndarray): as ``Rs``, values of ``s_0 ... s_{T-1}``.
        last_V (float or ndarray): scalar, ``[B]`` or ``[M]``, value of ``s_T``.
        reach_terminal (bool or ndarray): scalar, ``[B]`` or ``[M]``; see :func:`gae`.
        clip_rho (float): :math:`\bar\rho`, largest weight of a TD error.
        clip_pg_rho (float): :math:`\bar\rho_{pg}`, largest weight of an advantage.
        lengths (ndarray, optional): ``[M]`` steps of each trajectory in flat arrays.

    Returns:
        tuple: value targets and advantages, float32, both shaped as ``Rs``.

    Raises:
        ValueError: if a shape does not fit.

    Reference:
        Espeholt et al., IMPALA: Scalable Distributed Deep-RL with Importance Weighted
        Actor-Learner Architectures, 2018 (arXiv:1802.01561), section 4.1, remark 1.
    """
    D = _Trajectories(Rs, lengths)
    V, last = D.flat("Vs", Vs), D.last(last_V, reach_terminal)
    log_pi = D.flat("target_logprobs", target_logprobs)
    log_mu = D.flat("behavior_logprobs", behavior_logprobs)
    rho = np.exp(np.subtract(log_pi, log_mu, dtype=np.float64))
    delta = np.minimum(clip_rho, rho) * (D.rewards + gamma * D.following(V, last) - V)
    v = V + backward_scan(gamma * np.minimum(1.0, rho), delta, D.ends)
    A = np.minimum(clip_pg_rho, rho) * (D.rewards + gamma * D.following(v, last) - V)
    return D.out(v), D.out(A)


class _Trajectories:
    """One or many trajectories laid out back to back, in flat arrays ``[N]``."""

    def __init__(self, rewards, lengths):
        rewards = _array(rewards)
        self.shape = rewards.shape
        if rewards.ndim not in (1, 2) or rewards.size == 0:
            raise ValueError(f"rewards: got shape {self.shape}; expected [T] or [T, B], not empty")
        if lengths is None:
            T = self.shape[0]
            self.ends = np.arange(T - 1, rewards.size, T)  # [M], where each trajectory ends
        else:
            lengths = np.asarray(lengths, int)
            if rewards.ndim != 1 or lengths.sum() != rewards.size or lengths.min() < 1:
                raise ValueError(
                    f"lengths: got {lengths.tolist()!r} for rewards of shape {self.shape}; "
                    "expected positive numbers of steps that add up to flat rewards"
                )
            self.ends = np.cumsum(lengths) - 1
        self.rewards = rewards.ravel("F")  # [T, B] -> column after column

    def flat(self, name, x):
        x = _array(x)
        if x.shape != self.shape:
            raise ValueError(f"{name}: got shape {x.shape}; expected {self.shape}, as the rewards")
        return x.ravel("F")

    def last(self, last_V, reach_terminal):
        """Values of the last states, ``[M]``; zero where they are terminal."""
        last_V = self._per_trajectory("last_V", last_V)
        return np.where(self._per_trajectory("reach_terminal", reach_terminal), 0.0, last_V)

    def following(self, V, last):
        """The value of the next state at every step."""
        following = np.empty(V.shape)
        following[:-1] = V[1:]
        following[self.ends] = last
        return following

    def out(self, y):
        return y.astype(np.float32).reshape(self.shape, order="F")

    def _per_trajectory(self, name, x):
        x = _array(x)
        if x.size not in (1, len(self.ends)):
            raise ValueError(
                f"{name}: got shape {x.shape} for rewards of shape {self.shape}; "
                f"expected () or ({len(self.ends)},)"
            )
        return x.ravel()


def _array(x):
    """Array of floats, of a tensor with or without gradient, or of a list of either."""
    if isinstance(x, list | tuple):
        x = [_array(v) if hasattr(v, "detach") else v for v in x]
    elif hasattr(x, "detach"):
        x = x.detach().cpu()
    x = np.asarray(x)
    return x if x.dtype in (np.float32, np.float64) else x.astype(np.float64)
