"""DQN's step by hand, for plain networks on the CPU; see :mod:`lagom.algorithms.by_hand`."""

import numpy as np
from lagom.algorithms.by_hand import follower, is_plain, is_plain_adam
from lagom.algorithms.off_policy import arrays

from lagom.networks.backprop import LinearBackprop, MLPBackprop, clip_grad_norm


class QBackprop:
    """A ``QNetwork``."""

    def __init__(self, Q):
        self.trunk, self.advantage = MLPBackprop(Q.trunk), LinearBackprop(Q.advantage)
        self.value = None if Q.value is None else LinearBackprop(Q.value)

    def forward(self, obs):
        """As of the network."""
        features = self.trunk.forward(obs)
        A = self.advantage.forward(features)
        if self.value is None:
            return A
        A -= A.mean(-1, keepdims=True)
        A += self.value.forward(features)
        return A

    def backward(self, d_Q):
        """Gradients of the parameters from ``d_Q`` ``[N, num_action]``."""
        if self.value is not None:
            d_V = d_Q.sum(-1, keepdims=True)
            d_Q = d_Q - d_V / np.float32(d_Q.shape[-1])
        self.advantage.backward(d_Q)
        d_features = self.advantage.to_inputs(d_Q)
        if self.value is not None:
            self.value.backward(d_V)
            d_features += self.value.to_inputs(d_V)
        self.trunk.backward(d_features)


class ClosedForm:
    """The arrays of an agent, where they are now."""

    lasts = True

    @staticmethod
    def applies(agent):
        """Whether ``agent`` has plain networks and plain Adam."""
        nets = agent.Q, agent.Q_target
        heads = [head for Q in nets for head in (Q.advantage, Q.value) if head is not None]
        return is_plain(agent, [Q.trunk for Q in nets], heads) and is_plain_adam(agent.optimizer)

    def __init__(self, agent):
        self.agent, self.Q, self.Q_target = agent, QBackprop(agent.Q), QBackprop(agent.Q_target)
        self.grad = agent.Q.flat.grad.numpy()
        self.target_follows = follower(agent.Q_target, agent.Q, agent.config["agent.tau"])

    def step(self, D):
        """As ``Agent.step``."""
        agent, config = self.agent, self.agent.config
        obs, action, reward, next_obs, discount = arrays(D)
        N = np.float32(len(reward))
        rows = np.arange(len(reward))

        Q_next = self.Q_target.forward(next_obs)  # [N, num_action]
        best = (self.Q.forward(next_obs) if config["agent.double"] else Q_next).argmax(-1)
        target = reward + discount * Q_next[rows, best]
        Q = self.Q.forward(obs)
        Q_chosen = Q[rows, action]
        error = Q_chosen - target
        clipped = np.minimum(np.maximum(error, -1), 1)  # the slope of the Huber loss
        losses, d_Q = clipped * (error - 0.5 * clipped), np.zeros_like(Q)
        if "weight" in D:
            losses, clipped = losses * D["weight"], clipped * D["weight"]
        d_Q[rows, action] = clipped / N
        self.Q.backward(d_Q)
        grad_norm = clip_grad_norm(self.grad, config["agent.max_grad_norm"])
        agent.optimizer.move()
        self.target_follows()

        means = (float(x.sum() / N) for x in (losses, Q_chosen))
        out = dict(zip(["loss", "Q", "grad_norm"], [*means, grad_norm], strict=True))
        if "weight" in D:
            out["td_error"] = -error
        return out
