"""Environments that misbehave on purpose, in whatever process they are; and nested ones."""

import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, Tuple


class Trap(gymnasium.Env):
    """At step ``at`` of an episode, or with ``at=0`` on reset, ``what`` happens.

    Args:
        what (str): ``raise``, ``odd`` (raise what cannot be rebuilt), ``hang``, ``kill``, ``exit``,
            or ``make`` (raise in the constructor).
        note (Path): file to write the process id to.
    """

    observation_space = Box(-np.inf, np.inf, (2,), np.float32)
    action_space = Discrete(2)

    def __init__(self, what=None, at=3, note=None):
        if what == "make":
            raise ValueError("no such robot")
        self.what, self.at = what, at
        if note is not None:
            Path(note).write_text(str(os.getpid()))

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.k = 0
        return self.look(), {}

    def step(self, action):
        self.k += 1
        return self.look(), float(self.k), False, self.k == 11, {}

    def look(self):
        if self.k == self.at:
            if self.what == "raise":
                raise ZeroDivisionError("the simulation exploded")
            if self.what == "odd":
                raise Odd(1, 2)
            if self.what == "hang":
                threading.Event().wait()
            if self.what == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if self.what == "exit":
                os._exit(3)
        return np.full(2, self.k, np.float32)


class Odd(Exception):
    def __init__(self, one, two):
        super().__init__(f"odd {one} {two}")


class Orders(gymnasium.Env):
    """Dict and Tuple observations, Dict actions; the reward tells the action."""

    observation_space = Dict(
        camera=Box(0, 255, (2, 3), np.uint8), pose=Tuple([Box(-9.0, 9.0, (2,)), Discrete(5)])
    )
    action_space = Dict(gear=Discrete(3), wheel=Box(-1.0, 1.0, (2,), np.float32))

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.k = 0
        return self.look(), {"k": 0}

    def step(self, action):
        self.k += 1
        reward = float(action["gear"]) + float(action["wheel"].sum())
        return self.look(), reward, self.k == 4, False, {"k": self.k}

    def look(self):
        camera = self.np_random.integers(256, size=(2, 3), dtype=np.uint8)
        return {"camera": camera, "pose": (self.np_random.normal(size=2), self.k)}


class Helper(Trap):
    """Starts a program of its own, as simulators do."""

    def __init__(self):
        super().__init__()
        self.program = subprocess.Popen(["sleep", "1000"])

    def close(self):
        self.program.terminate()
        self.program.wait()


class SlowStep(Trap):
    """A step takes ``seconds``."""

    def __init__(self, seconds):
        super().__init__()
        self.seconds = seconds

    def step(self, action):
        time.sleep(self.seconds)
        return super().step(action)


class Mortal(Trap):
    """At its 20th step it is killed if ``file`` is there, which it removes first."""

    def __init__(self, file):
        super().__init__()
        self.file, self.num_step = Path(file), 0

    def step(self, action):
        self.num_step += 1
        if self.num_step == 20 and self.file.exists():
            self.file.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().step(action)


gymnasium.register("Mortal-v0", Mortal)
