"""From an environment's maker to one of the same with what the configuration puts around it."""

from functools import partial

from lagom.envs.game import ActionMask, EpisodicLife, NoopStart, find_masks
from lagom.envs.image import FrameSkip, FrameStack, Grayscale, Resize


def preprocessed(make_env, config, training):
    """``make_env`` in wrappers as ``config`` says; itself where that says nothing.

    Args:
        make_env (function): returns a Gymnasium environment.
        config (dict): reads ``env.noop``, ``env.skip``, ``env.episodic_life``, ``env.gray``,
            ``env.size``, ``env.stack`` and ``env.info_mask``; what is missing is left out.
        training (bool): otherwise episodes last as long as the game.

    Returns:
        function: of no arguments, which can be pickled if ``make_env`` can.
    """
    wrappers = []
    if config.get("env.noop", 0):
        wrappers.append((NoopStart, {"num": config["env.noop"]}))
    if config.get("env.skip", 1) > 1:
        wrappers.append((FrameSkip, {"skip": config["env.skip"]}))
    if config.get("env.episodic_life", False) and training:
        wrappers.append((EpisodicLife, {}))
    if config.get("env.gray", False):
        wrappers.append((Grayscale, {}))
    if config.get("env.size"):
        wrappers.append((Resize, {"size": config["env.size"]}))
    if config.get("env.stack", 1) > 1:
        wrappers.append((FrameStack, {"num": config["env.stack"]}))
    if config.get("env.info_mask", False):
        wrappers.append((ActionMask, {}))
    return partial(_make, make_env, wrappers) if wrappers else make_env


def with_masks(env):
    """``env``, with masks in its observations if it has a method ``action_masks``."""
    return env if find_masks(env) is None else ActionMask(env)


def _make(make_env, wrappers):
    env = make_env()
    for wrapper, kwargs in wrappers:
        env = wrapper(env, **kwargs)
    return env
