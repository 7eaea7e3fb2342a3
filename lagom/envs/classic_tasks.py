"""The equations of classic control for ``B`` systems at once.

They follow Gymnasium's in order and in types, since both decide how numbers round.  Cosines are
taken by ``math`` where Gymnasium does so, and its ``**`` of numbers is ``float_power`` of arrays:
NumPy's own cosine and square of arrays may differ from these in the last bit.
"""

from math import cos, pi

import numpy as np


class Task:
    """States ``[D, B]`` of ``B`` systems.

    Args:
        core (Env): unwrapped; its constants are taken over.
        num (int): ``B``.
    """

    num_state = 2
    num_action = 0  # how many discrete ones; 0: actions are vectors of length 1
    pays_from = 2  # systems; fewer are stepped faster one by one (benchmarks/envs.py)

    def __init__(self, core, num):
        self.core, self.num = core, num
        self.state = np.zeros((self.num_state, num))

    @staticmethod
    def fits(core):
        """Whether the equations are the ordinary ones."""
        return True

    def check(self, actions):
        """Refuse what no action space contains."""
        if not self.num_action:
            if actions.shape != (self.num, 1):
                raise ValueError(
                    f"VecEnv.step: actions have shape {actions.shape}; expected {(self.num, 1)}"
                )
        # As unsigned numbers the negative ones are large.
        elif actions.dtype.kind not in "iu" or actions.astype(np.uint64).max() >= self.num_action:
            raise ValueError(
                f"VecEnv.step: actions are {actions!r}; expected integers from 0 to "
                f"{self.num_action - 1}"
            )

    def put(self, b):
        """Bring the core where system ``b`` stands."""
        self.core.state = self.state[:, b].copy()

    def take(self, b):
        """Bring system ``b`` where the core stands."""
        self.state[:, b] = self.core.state

    def observe(self):
        """Observations, fresh, ``[B, D]`` float32."""
        return np.array(self.state.T, np.float32, order="C")

    def step(self, actions):
        """Advance all; return rewards and terminated, ``[B]`` each."""
        raise NotImplementedError


class CartPole(Task):
    """Barto, Sutton and Anderson, 1983: balance a pole on a cart."""

    num_state, num_action = 4, 2
    pays_from = 3

    def __init__(self, core, num):
        super().__init__(core, num)
        self.forces = np.array([-core.force_mag, core.force_mag])
        self.limits = np.array([[core.x_threshold], [core.theta_threshold_radians]])
        self.ones = np.ones(num)

    @staticmethod
    def fits(core):
        return core.kinematics_integrator == "euler"

    def put(self, b):
        super().put(b)
        self.core.steps_beyond_terminated = None  # never a step without the reset

    def step(self, actions):
        core = self.core
        speed, theta, omega = self.state[1], self.state[2], self.state[3]
        sin_theta, cos_theta = np.sin(theta), np.cos(theta)
        push = self.forces[actions] + core.polemass_length * np.square(omega) * sin_theta
        push /= core.total_mass
        inertia = 4.0 / 3.0 - core.masspole * np.square(cos_theta) / core.total_mass
        torque = (core.gravity * sin_theta - cos_theta * push) / (core.length * inertia)
        acceleration = push - core.polemass_length * torque * cos_theta / core.total_mass
        self.state = self.state + core.tau * np.array([speed, acceleration, omega, torque])
        outside = np.abs(self.state[::2]) > self.limits
        terminated = outside[0] | outside[1]
        if core._sutton_barto_reward:
            return np.where(terminated, -1.0, 0.0), terminated
        return self.ones.copy(), terminated


class Pendulum(Task):
    """Swing a pendulum up and hold it there."""

    def __init__(self, core, num):
        super().__init__(core, num)
        self.torques = [None] * num  # last ones, for pictures

    def put(self, b):
        super().put(b)
        self.core.last_u = self.torques[b]

    def take(self, b):
        super().take(b)
        self.torques[b] = getattr(self.core, "last_u", None)

    def observe(self):
        theta, omega = self.state
        return np.array([np.cos(theta), np.sin(theta), omega], np.float32).T.copy()

    def step(self, actions):
        core, (theta, omega) = self.core, self.state
        limit, dt = core.max_torque, core.dt
        u = np.minimum(np.maximum(actions[:, 0], -limit), limit)
        angle = (theta + np.pi) % (2 * np.pi) - np.pi
        costs = np.float_power(angle, 2) + 0.1 * np.float_power(omega, 2)
        costs = costs + 0.001 * np.array([x**2 for x in u])
        gravity, inertia = 3 * core.g / (2 * core.l), 3.0 / (core.m * core.l**2)
        omega = omega + (gravity * np.sin(theta) + inertia * u) * dt
        omega = np.minimum(np.maximum(omega, -core.max_speed), core.max_speed)
        self.state = np.array([theta + omega * dt, omega])
        self.torques = list(u)
        return -costs, np.zeros(self.num, bool)


class MountainCar(Task):
    """Moore, 1990: rock a weak car out of a valley."""

    num_action = 3

    def step(self, actions):
        core, (position, velocity) = self.core, self.state
        slope = np.array([cos(x) for x in (3 * position).tolist()])
        velocity = velocity + ((actions - 1) * core.force + slope * -core.gravity)
        velocity = np.minimum(np.maximum(velocity, -core.max_speed), core.max_speed)
        position = position + velocity
        position = np.minimum(np.maximum(position, core.min_position), core.max_position)
        velocity[(position == core.min_position) & (velocity < 0)] = 0.0
        self.state = np.array([position, velocity])
        terminated = (position >= core.goal_position) & (velocity >= core.goal_velocity)
        return np.full(self.num, -1.0), terminated


class MountainCarContinuous(Task):
    """The same with forces that cost.

    Gymnasium computes the first step of an episode in float64 and the others in float32, unless
    actions have more digits.
    """

    pays_from = 12

    def __init__(self, core, num):
        super().__init__(core, num)
        self.is_first = np.ones(num, bool)

    def put(self, b):
        dtype = np.float64 if self.is_first[b] else np.float32
        self.core.state = self.state[:, b].astype(dtype)

    def take(self, b):
        super().take(b)
        self.is_first[b] = self.core.state.dtype == np.float64

    def step(self, actions):
        core, (position, velocity) = self.core, self.state.astype(np.float32)
        wanted = actions[:, 0]
        force = np.minimum(np.maximum(wanted, core.min_action), core.max_action)
        slope = 0.0025 * np.array([cos(x) for x in (3 * position).tolist()])
        # A force beyond the bounds becomes one of Python's floats there, with all their digits.
        push = (force * core.power - slope.astype(force.dtype)).astype(np.float32)
        exact = (force.astype(float) * core.power - slope).astype(np.float32)
        velocity = velocity + np.where(force == wanted, push, exact)
        velocity = np.minimum(np.maximum(velocity, -core.max_speed), core.max_speed)
        position = position + velocity
        position = np.minimum(np.maximum(position, core.min_position), core.max_position)
        velocity[(position == np.float32(core.min_position)) & (velocity < 0)] = 0.0
        terminated = (position >= np.float32(core.goal_position)) & (velocity >= core.goal_velocity)
        rewards = np.where(terminated, 100.0, 0.0) - np.square(wanted.astype(float)) * 0.1
        after = np.array([position, velocity], float)
        is_float32 = actions.dtype == np.float32
        for b in np.flatnonzero(self.is_first) if is_float32 else range(self.num):
            self.put(b)
            after[:, b], rewards[b], terminated[b], *_ = core.step(actions[b])
        self.state, self.is_first = after, np.zeros(self.num, bool)
        return rewards, terminated


class Acrobot(Task):
    """Sutton, 1996: two links, one motor, swing the tip up.

    Masses, lengths and moments of inertia are 1, centers of mass in the middle of the links.
    """

    num_state, num_action = 4, 3
    pays_from = 4

    def __init__(self, core, num):
        super().__init__(core, num)
        self.torques = np.array(core.AVAIL_TORQUE, float)

    @staticmethod
    def fits(core):
        return core.book_or_nips == "book" and not core.torque_noise_max

    def observe(self):
        a, b, *speeds = self.state
        return np.array([np.cos(a), np.sin(a), np.cos(b), np.sin(b), *speeds], np.float32).T.copy()

    def step(self, actions):
        core, torque = self.core, self.torques[actions]
        y, dt = self.state, core.dt
        k1 = _acrobot_slopes(y, torque)
        k2 = _acrobot_slopes(y + dt / 2.0 * k1, torque)
        k3 = _acrobot_slopes(y + dt / 2.0 * k2, torque)
        k4 = _acrobot_slopes(y + dt * k3, torque)
        y = y + dt / 6.0 * (k1 + 2 * k2 + 2 * k3 + k4)
        for angle in y[:2]:
            while (angle > pi).any():
                angle[angle > pi] -= 2 * pi
            while (angle < -pi).any():
                angle[angle < -pi] += 2 * pi
        limits = np.array([[core.MAX_VEL_1], [core.MAX_VEL_2]])
        y[2:] = np.minimum(np.maximum(y[2:], -limits), limits)
        self.state = y
        terminated = -np.cos(y[0]) - np.cos(y[1] + y[0]) > 1.0
        return np.where(terminated, 0.0, -1.0), terminated


def _acrobot_slopes(y, torque):
    """Derivatives of angles and speeds, ``[4, B]``: Sutton and Barto, 2018, section 11.3."""
    theta1, theta2, omega1, omega2 = y
    sin2, cos2 = np.sin(theta2), np.cos(theta2)
    d1 = 0.25 + (1.25 + cos2) + 1.0 + 1.0
    d2 = (0.25 + 0.5 * cos2) + 1.0
    phi2 = 0.5 * 9.8 * np.cos(theta1 + theta2 - pi / 2.0)
    phi1 = -0.5 * np.float_power(omega2, 2) * sin2 - omega2 * omega1 * sin2
    phi1 = phi1 + 1.5 * 9.8 * np.cos(theta1 - pi / 2) + phi2
    alpha2 = torque + d2 / d1 * phi1 - 0.5 * np.float_power(omega1, 2) * sin2 - phi2
    alpha2 /= 1.25 - np.float_power(d2, 2) / d1
    alpha1 = -(d2 * alpha2 + phi1) / d1
    return np.array([omega1, omega2, alpha1, alpha2])
