"""Deep Q-networks: regression on one-step targets from a replay buffer, with the usual refinements.

Mnih et al., Human-level control through deep reinforcement learning, 2015.  Double: van Hasselt et
al., 2016 (arXiv:1509.06461).  Dueling: Wang et al., 2016 (arXiv:1511.06581).  Prioritized replay:
Schaul et al., 2016 (arXiv:1511.05952).  n-step targets: Hessel et al., 2018 (arXiv:1710.02298).
"""

from copy import deepcopy
from functools import partial

import numpy as np
import torch
from gymnasium.spaces import Discrete
from lagom.algorithms.adam import adam
from lagom.algorithms.by_hand import Choice
from lagom.algorithms.dqn.closed_form import ClosedForm
from lagom.algorithms.lr_decay import decay_lr
from lagom.algorithms.off_policy import network_kinds, tensors
from lagom.algorithms.off_policy_check import disagreement
from torch.nn import functional as F

from lagom import BaseAgent
from lagom.networks import Linear, Module, action_mask, make_encoder
from lagom.transform import LinearSchedule
from lagom.utils import numpify, tensorify
from lagom.utils.nested import num_rows


class QNetwork(Module):
    """Observations ``[N, *obs]`` to values of all actions ``[N, num_action]``."""

    def __init__(self, trunk, num_action, dueling):
        super().__init__()
        self.trunk = trunk
        self.advantage = Linear(self.trunk.out_features, num_action)
        self.value = Linear(self.trunk.out_features, 1) if dueling else None

    def forward(self, obs):
        features = self.trunk(obs)
        A = self.advantage(features)
        if self.value is None:
            return A
        return self.value(features) + A - A.mean(-1, keepdim=True)  # Wang et al., eq. 9

    def numpy(self, obs):
        """The same on arrays, without autograd."""
        features = self.trunk.numpy(obs)
        A = self.advantage.numpy(features)
        if self.value is None:
            return A
        return self.value.numpy(features) + A - A.mean(-1, keepdims=True)

    def greedy(self, obs):
        """The best actions ``[B]`` for arrays ``[B, *obs]``; V does not change the order."""
        modules, mask = self._modules, action_mask(obs)  # past the attributes of nn.Module
        A = modules["advantage"].numpy(modules["trunk"].numpy(obs))
        return (A if mask is None else np.where(mask, A, -np.inf)).argmax(-1)


class Agent(BaseAgent):
    """DQN for Discrete actions, observations of every kind; ``D`` is a sample of a replay buffer.

    Observations of ``Dict`` may hold masks: what these forbid is neither chosen, nor explored, nor
    a target.
    """

    def __init__(self, config, env, device, **kwargs):
        super().__init__(config, env, device, **kwargs)
        space = self.action_space
        if not (isinstance(space, Discrete) and space.start == 0):
            raise ValueError(
                f"dqn: action space is {space}; expected Discrete from 0; for continuous actions "
                "use algo=sac or algo=ppo"
            )
        kinds = network_kinds(config)
        trunk = make_encoder(self.observation_space, config["agent.hidden_sizes"], **kinds)
        self.Q = QNetwork(trunk, int(space.n), config["agent.dueling"]).to(self.device)
        self.Q_target = deepcopy(self.Q)
        self.optimizer = adam(self.Q.flat, config["agent.lr"])
        self.choice = Choice(ClosedForm)  # a copy of step(), several times faster
        self.epsilon = LinearSchedule(
            1.0,
            config["agent.epsilon"],
            N=max(1, round(config["agent.exploration"] * config["train.timestep"])),
        )

    def choose_action(self, x, timestep=0, **kwargs):
        if not self.training:
            return {"action": self.Q.greedy(x)}
        B = num_rows(x)
        explores = self.rng.random(B) < self.epsilon(timestep)
        num_explore = np.count_nonzero(explores)
        if num_explore == 0:
            return {"action": self.Q.greedy(x)}
        action = self.random_actions(B, action_mask(x))
        if num_explore < B:  # at the beginning there is mostly no need for the network
            action = np.where(explores, action, self.Q.greedy(x))
        return {"action": action}

    def random_actions(self, B, mask=None):
        """``[B]``, each of the allowed ones with the same chance."""
        if mask is None:
            return (self.rng.random(B) * self.action_space.n).astype(np.int64)  # u < 1
        return np.where(mask, self.rng.random(mask.shape), -1.0).argmax(-1)

    def learn(self, D, timestep=0, **kwargs):
        decay_lr(self, timestep)
        out = self.choice(self, partial(disagreement, self, D))(D)
        return {**out, "epsilon": float(self.epsilon(timestep))}

    def step(self, D):
        """One step down the gradient of the loss of a sample, and of the target network after."""
        config = self.config
        obs, action, reward, next_obs, discount = tensors(D, self.device)

        with torch.no_grad():
            Q_next = self.Q_target(next_obs)  # [N, num_action]
            chooses = self.Q(next_obs) if config["agent.double"] else Q_next
            if (mask := action_mask(next_obs)) is not None:
                chooses = chooses.masked_fill(mask == 0, -torch.inf)
            V_next = Q_next.gather(1, chooses.argmax(1, keepdim=True)).squeeze(1)
            target = reward + discount * V_next  # van Hasselt et al., eq. 4
        Q = self.Q(obs).gather(1, action.long()[:, None]).squeeze(1)  # [N]
        losses = F.smooth_l1_loss(Q, target, reduction="none")
        if "weight" in D:
            losses = losses * tensorify(D["weight"], self.device)
        loss = losses.mean()

        self.Q.zero_grad()
        loss.backward()
        grad_norm = self.Q.clip_grad_norm(config["agent.max_grad_norm"])
        self.optimizer.step()
        with torch.no_grad():
            self.Q_target.flat.lerp_(self.Q.flat, config["agent.tau"])
            row = torch.stack([loss, Q.mean(), grad_norm]).tolist()
        out = dict(zip(["loss", "Q", "grad_norm"], row, strict=True))
        if "weight" in D:
            out["td_error"] = numpify(target - Q, np.float32)
        return out
