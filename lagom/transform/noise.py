"""Noise that remembers."""

import math

import numpy as np


class OUNoise:
    r"""An Ornstein-Uhlenbeck process around 0, in steps of Euler and Maruyama.

    .. math:: x \leftarrow x - \theta x \, dt + \sigma \sqrt{dt} \, z, \quad z \sim N(0, 1)

    Begun at 0, it comes near a standard deviation of ``sigma / sqrt(2 theta)``, and forgets in
    about ``1 / (theta dt)`` steps.

    Args:
        sigma (float): diffusion, not negative.
        theta (float): pull towards 0, positive.
        dt (float): time of one step, in the unit of ``1 / theta``; ``theta dt`` is at most 1.

    Raises:
        ValueError: a number is out of its range.

    Example:
        >>> noise = OUNoise(sigma=0.0, theta=0.5, dt=1.0)
        >>> noise.x = np.array([8.0])
        >>> [noise((1,), np.random.default_rng(0)).item() for _ in range(3)]
        [4.0, 2.0, 1.0]

    Reference:
        Uhlenbeck and Ornstein, On the theory of the Brownian motion, 1930; as exploration in
        Lillicrap et al., 2015 (arXiv:1509.02971).
    """

    def __init__(self, sigma, theta=0.15, dt=0.01):
        if not (sigma >= 0 and theta > 0 and 0 < theta * dt <= 1):
            raise ValueError(
                f"OUNoise: sigma is {sigma!r}, theta {theta!r} and dt {dt!r}; expected sigma not "
                "negative, theta and dt positive, and theta * dt at most 1"
            )
        self.sigma, self.theta, self.dt = sigma, theta, dt
        self.x = None

    def __call__(self, shape, rng):
        """The next values, float64 of ``shape``; ``rng`` is a NumPy generator.

        A shape other than the last begins anew at 0.
        """
        x = np.zeros(shape) if self.x is None or self.x.shape != shape else self.x
        drift = -self.theta * self.dt * x
        self.x = x + drift + self.sigma * math.sqrt(self.dt) * rng.standard_normal(shape)
        return self.x

    def state_dict(self):
        """The values of the last call."""
        return {"x": self.x}

    def load_state_dict(self, state):
        """Go on from ``state``."""
        self.x = state["x"]
