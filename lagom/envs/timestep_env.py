"""A single environment that speaks in time steps."""

import gymnasium

from lagom.data.timestep import StepType, TimeStep


class TimeStepEnv(gymnasium.Wrapper):
    """``reset`` and ``step`` return one :class:`~lagom.data.TimeStep` each.

    Must be the outermost wrapper, as others expect tuples from what they wrap.

    Args:
        env (Env): a single environment.

    Raises:
        TypeError: if it is anything else, a ``VecEnv`` for instance.
    """

    def __init__(self, env):
        if not isinstance(env, gymnasium.Env):
            raise TypeError(f"TimeStepEnv: got {env!r}; expected a single Gymnasium environment")
        super().__init__(env)

    def reset(self, **kwargs) -> TimeStep:
        """Begin an episode; reward, done and info of the time step are ``None``."""
        observation, _ = self.env.reset(**kwargs)
        return TimeStep(StepType.FIRST, observation, None, None, None)

    def step(self, action) -> TimeStep:
        """Take one step; the caller resets after the last one.

        On the last step ``info["TimeLimit.truncated"]`` says whether a clock ended the episode.
        """
        observation, reward, terminated, truncated, info = self.env.step(action)
        if not (terminated or truncated):
            return TimeStep(StepType.MID, observation, reward, False, info)
        info = {**info, "TimeLimit.truncated": bool(truncated and not terminated)}
        return TimeStep(StepType.LAST, observation, reward, True, info)

    def __getattr__(self, name):
        if name.startswith("_") or name == "env":
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self.env, name)
