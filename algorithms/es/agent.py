"""The policy that evolution strategies search over: a small network without gradients.

``conf/algo/<strategy>.yaml`` names the strategy; the library has them (:mod:`lagom.es`).
"""

from pkgutil import resolve_name

from gymnasium import spaces
from lagom.algorithms.es.stack import Stack

from lagom import BaseAgent
from lagom.networks import MLP, input_size


class Agent(BaseAgent):
    """A deterministic policy for Discrete and Box actions on vectors of observations.

    ``agent.hidden_sizes: []`` is a linear policy.
    """

    def __init__(self, config, env, device, **kwargs):
        super().__init__(config, env, device, **kwargs)
        self.discrete = isinstance(self.action_space, spaces.Discrete)
        is_vector = isinstance(self.action_space, spaces.Box) and len(self.action_space.shape) == 1
        if not (self.discrete or is_vector):
            raise ValueError(
                f"action space: got {self.action_space}; expected Discrete, or Box with one axis"
            )
        num_out = int(self.action_space.n) if self.discrete else self.action_space.shape[0]
        self.policy = MLP(
            input_size(self.observation_space),
            config["agent.hidden_sizes"],
            num_out,
            activation=config["agent.activation"],
            out_scale=0.0,  # no action is preferred at first
        )
        self.to(self.device)
        self.requires_grad_(False)

    def make_es(self):
        """The configured strategy; it starts from the network as it is, zeros in its last layer.

        With zeros in all layers, a small step in one of two would change no return.
        """
        config = self.config
        opts = {**config["es.opts"], "seed": int(self.rng.integers(1, 2**31))}
        if config["es.popsize"] is not None:
            opts["popsize"] = config["es.popsize"]
        x0 = self.to_vec().cpu().numpy()  # float32, the precision of policies
        return resolve_name(config["es.strategy"])(x0, config["es.sigma0"], opts)

    def choose_action(self, x, **kwargs):
        return {"action": self._action(self.policy.numpy(x))}

    def stack(self, candidates):
        """A function of ``(policies [B], observations [B, *obs])`` to actions ``[B, *action]``.

        Args:
            candidates (ndarray): ``[P, num_params]``; ``policies`` says whose turn it is, by row.
        """
        networks = Stack(self.policy, candidates)
        return lambda policies, x: self._action(networks(policies, x))

    def _action(self, out):
        """Actions from ``out`` ``[B, num_action]`` or ``[B, action_dim]``."""
        return out.argmax(-1) + self.action_space.start if self.discrete else out

    def learn(self, D, **kwargs):
        """Nothing: the strategy learns."""
        return {}
