"""From a configuration to the environments of one job."""

from functools import partial

from gymnasium.spaces import Box

from lagom.envs.action import RescaleAction
from lagom.envs.backend import vectorize
from lagom.envs.game import ClipReward
from lagom.envs.normalize import NormalizeObservation, NormalizeReward
from lagom.envs.preprocess import preprocessed
from lagom.envs.registry import make
from lagom.envs.statistics import RecordEpisodeStatistics
from lagom.utils import Seeder
from lagom.utils.nested import flat, simple_spaces

_MAX_EVAL_ENV = 10


def make_envs(config, seed):
    """Return the environments to train in and to evaluate in, both vectorized.

    From inside out: the environment, preprocessed (:func:`lagom.envs.preprocess.preprocessed`); the
    fastest :class:`VecEnv` that can step it (:func:`lagom.envs.backend.vectorize`);
    ``RescaleAction`` for ``Box`` actions, so that agents act in [-1, 1];
    ``RecordEpisodeStatistics`` of raw rewards; ``NormalizeObservation``; ``ClipReward`` if
    ``env.clip_reward``; ``NormalizeReward``.  Evaluation has neither of the last two, and the
    moments of the training environment's observations, which it never updates.

    Args:
        config (dict): reads ``env.id``, ``env.num_env``, ``env.kwargs``, ``env.backend``,
            ``env.threads``, ``env.workers``, ``env.timeout``, ``env.normalize_obs`` and
            ``env.normalize_reward`` (true, false, or ``auto``: for ``Box`` actions, if
            observations are floats), ``agent.gamma``, ``eval.episodes``.
        seed (int): of the job.  Evaluation draws its seeds from a stream of its own, whatever
            ``env.num_env`` is, and never one of the training seeds;
            ``eval_env.reset(seed=eval_env.seeds)`` makes evaluations begin alike.

    Returns:
        tuple: ``(env, eval_env)``; the second has one row per evaluation episode, ten at most.

    Raises:
        ValueError: if the environment cannot be made so; see :func:`lagom.envs.make`.
    """
    # Gymnasium's checker watches the first steps only, and costs a call on all of them.
    kwargs = {"disable_env_checker": True, **(config["env.kwargs"] or {})}
    make_env = partial(make, config["env.id"], **kwargs)
    num_env, num_eval = config["env.num_env"], min(config["eval.episodes"], _MAX_EVAL_ENV)
    for key, value in (("env.num_env", num_env), ("eval.episodes", num_eval)):
        if value < 1:
            raise ValueError(f"{key}: got {value!r}; expected at least 1")

    names = ("backend", "threads", "workers", "timeout")
    how = {name: config[f"env.{name}"] for name in names}
    env = vectorize(preprocessed(make_env, config, True), num_env, Seeder(seed)(num_env), **how)
    make_env = preprocessed(make_env, config, False)
    eval_env = vectorize(make_env, num_eval, _eval_seeds(seed, num_eval, env.seeds), **how)

    has_box, has_floats = (
        any(isinstance(part, Box) and part.dtype.kind == "f" for part in flat(simple_spaces(space)))
        for space in (env.single_action_space, env.single_observation_space)
    )
    if has_box:
        env, eval_env = RescaleAction(env), RescaleAction(eval_env)
    env, eval_env = RecordEpisodeStatistics(env), RecordEpisodeStatistics(eval_env)
    if _is_on(config, "env.normalize_obs", auto=has_box and has_floats):
        env = NormalizeObservation(env)
        eval_env = NormalizeObservation(eval_env, moments=env.obs_moments)
    if config.get("env.clip_reward", False):
        env = ClipReward(env)
    if _is_on(config, "env.normalize_reward", auto=has_box):
        env = NormalizeReward(env, gamma=config["agent.gamma"])
    return env, eval_env


def _eval_seeds(seed, num_eval, train_seeds):
    drawn = Seeder(2**32 - 1 - seed)(num_eval + len(train_seeds))
    return [candidate for candidate in drawn if candidate not in train_seeds][:num_eval]


def _is_on(config, key, auto):
    value = config[key]
    if value not in (True, False, "auto"):
        raise ValueError(f"{key}: got {value!r}; expected true, false or 'auto'")
    return auto if value == "auto" else value
