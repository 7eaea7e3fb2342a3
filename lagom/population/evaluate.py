"""Episodes of many policies, stepped together: one row of the environment plays one policy."""

from typing import NamedTuple

import numpy as np

from lagom.envs import ClipReward, NormalizeObservation, NormalizeReward, RecordEpisodeStatistics
from lagom.es import Recipe, draw


class Generation(NamedTuple):
    """What is evaluated: all that a worker must know beside its share of the seeds.

    Attributes:
        candidates (Recipe or ndarray): how to draw them, or ``[P, dim]`` float32.
        mean, var (ndarray): ``[*obs]``, moments that observations are normalized with; or ``None``.
        clip (float): bound of normalized observations.
    """

    candidates: object
    mean: np.ndarray | None = None
    var: np.ndarray | None = None
    clip: float = 0.0


class Episodes(NamedTuple):
    """What came of it; ``P`` candidates with ``K`` episodes each.

    Attributes:
        returns (ndarray): ``[P, K]``, sums of raw rewards.
        lengths (ndarray): ``[P, K]``, steps.
        sums (ndarray): ``[P, 2, *obs]``, sums of observations relative to the mean that they were
            normalized with, and of their squares; ``None`` if they were not normalized.
    """

    returns: np.ndarray
    lengths: np.ndarray
    sums: np.ndarray | None


def bare(env):
    """``env`` without what normalizes, clips and counts: returns are raw, and counted elsewhere."""
    whole = NormalizeReward | ClipReward | NormalizeObservation | RecordEpisodeStatistics
    while isinstance(env, whole):
        env = env.env
    return env


def evaluate(env, agent, generation, rows, seeds):
    """Evaluate the candidates ``rows`` of a generation.

    An episode depends on its candidate and its seed alone, not on what is evaluated beside it, so
    a population may be cut into pieces anywhere.

    Args:
        env (VecEnv): as many rows are played at a time as it has; see :func:`bare`.
        agent (BaseAgent): ``stack`` makes one function of many parameter vectors; without that
            method, ``from_vec`` and ``choose_action`` serve one candidate after the other.
        generation (Generation): what all share.
        rows (range): which candidates.
        seeds (ndarray): ``[len(rows), K]``, one for each episode.

    Returns:
        Episodes: of these candidates.

    Raises:
        FloatingPointError: a reward or an observation is not finite.
    """
    candidates = generation.candidates
    if isinstance(candidates, Recipe):
        candidates = draw(candidates, rows)
    else:
        candidates = candidates[rows.start : rows.stop]
    act = agent.stack(candidates) if hasattr(agent, "stack") else _one_by_one(agent, candidates)
    return play(env, act, seeds, generation.mean, generation.var, generation.clip)


def play(env, act, seeds, mean=None, var=None, clip=0.0):
    """Play one episode for each of ``seeds`` ``[P, K]``; see :func:`evaluate`.

    Args:
        env (VecEnv): where.
        act (function): ``act(policies, observations)``, both ``[B, ...]``, to actions.
        seeds (ndarray): ``[P, K]``.
        mean, var (ndarray): moments to normalize observations with, or ``None``.
        clip (float): bound of normalized observations.

    Returns:
        Episodes: ``P`` policies, ``K`` each.
    """
    (P, K), J, B = seeds.shape, seeds.size, env.num_envs
    queue = seeds.ravel().tolist()
    scale = None if mean is None else np.sqrt(var + 1e-8)
    returns, lengths = np.zeros(J), np.zeros(J, int)
    shape = env.single_observation_space.shape
    sums = None if mean is None else np.zeros((J, 2, *shape))
    now, steps = np.zeros(B), np.zeros(B, int)  # of the running episodes
    running = None if mean is None else np.zeros((B, 2, *shape))
    first = min(B, J)  # of the episodes that have not begun
    job = np.append(np.arange(first), np.full(B - first, -1))  # episode of each row; -1: none
    policy = np.maximum(job, 0) // K
    obs, _ = env.reset(seed=queue[:first] + queue[:1] * (B - first))
    for b in range(first, B):
        env.rest(b)
    left = J
    while left:
        x = obs
        if running is not None:
            delta = obs - mean
            running[:, 0] += delta
            running[:, 1] += delta * delta
            x = np.clip(delta / scale, -clip, clip).astype(np.float32)
        obs, reward, terminated, truncated, _ = env.step(act(policy, x))
        now += reward
        steps += 1
        done = terminated | truncated
        if not done.any():
            continue
        for b in np.flatnonzero(done & (job >= 0)).tolist():
            j, left = job[b], left - 1
            returns[j], lengths[j] = now[b], steps[b]
            now[b], steps[b] = 0.0, 0
            if running is not None:
                sums[j] = running[b]
                running[b] = 0
            job[b] = -1
            if first == J:
                env.rest(b)
                continue
            obs[b], _ = env.reset_row(b, seed=queue[first])
            job[b], policy[b] = first, first // K
            first += 1
    if not np.isfinite(returns).all() or not (sums is None or np.isfinite(sums).all()):
        raise FloatingPointError(
            "es: the environment gave a reward or an observation that is not finite"
        )
    # Pieces of a population must add up to the same bits, wherever they were cut.
    sums = None if sums is None else np.add.reduce(sums.reshape(P, K, 2, *shape), axis=1)
    return Episodes(returns.reshape(P, K), lengths.reshape(P, K), sums)


def _one_by_one(agent, candidates):
    def act(policies, x):
        actions = []
        for policy, obs in zip(policies, x, strict=True):
            agent.from_vec(candidates[policy])
            actions.append(agent.choose_action(obs[None])["action"])
        return np.concatenate(actions)

    return act


def absorb(moments, num, sums):
    """Take ``num`` observations into running moments; ``sums`` ``[2, *obs]`` as in Episodes.

    The same as calling ``moments`` with the observations, up to rounding.
    """
    count = moments.n + moments._prior  # weight of what was known
    total = count + num
    delta = sums[0] / num  # of their mean from the known one
    squares = sums[1] - num * delta**2
    moments.var = (moments.var * count + squares + delta**2 * (count * num / total)) / total
    moments.mean = moments.mean + delta * (num / total)
    moments.n += int(num)
