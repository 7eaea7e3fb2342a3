"""Recurrent proximal policy optimization: what was seen before is remembered by LSTMs.

Loss: Schulman et al., Proximal Policy Optimization Algorithms, 2017 (arXiv:1707.06347).
Sequences begin with the state that acting had there: Kapturowski et al., Recurrent Experience
Replay in Distributed Reinforcement Learning, 2019, section 3 ("stored state").
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from lagom import BaseAgent
from lagom.metric import gae
from lagom.networks import MLP, LayerNormLSTMCell, LSTMLayer, Module, input_size, make_head
from lagom.utils import numpify, tensorify


class LSTMCell(nn.LSTMCell):
    """PyTorch's cell, called as :class:`~lagom.networks.LSTMLayer` calls cells."""

    def forward(self, input, state):
        h, c = super().forward(input, state)
        return h, (h, c)


CELLS = {"lstm": LSTMCell, "lnlstm": LayerNormLSTMCell}


class RecurrentNet(Module):
    """An LSTM, then fully connected layers."""

    def __init__(self, in_features, cell, memory_size, hidden_sizes, out_features, activation):
        super().__init__()
        self.lstm = LSTMLayer(CELLS[cell], in_features, memory_size)
        self.mlp = MLP(memory_size, hidden_sizes, out_features, activation)

    def forward(self, x, state, reset=None):
        """Sequences ``[L, K, in_features]``, states ``[K, 2 H]`` to outputs and the next states.

        Where ``reset`` ``[L, K]`` is true, an episode begins, and the state is set to zero before.
        """
        x, state = self.lstm(x, state.chunk(2, -1), reset)
        return self.mlp(x), torch.cat(state, -1)


class Agent(BaseAgent):
    """Recurrent PPO for Discrete and Box actions on vectors of observations.

    Raises:
        ValueError: ``train.num_step`` is no multiple of ``agent.sequence``.
    """

    def __init__(self, config, env, device, **kwargs):
        super().__init__(config, env, device, **kwargs)
        num_step = config["train.num_step"]
        self.L = min(config["agent.sequence"], num_step)
        if num_step % self.L:
            raise ValueError(
                f"agent.sequence: got {self.L} for train.num_step={num_step}; "
                "expected a divisor of it"
            )
        cell, H = config["agent.cell"], config["agent.memory_size"]
        sizes = config["agent.hidden_sizes"]
        obs_dim, activation = input_size(self.observation_space), config["agent.activation"]
        self.actor = RecurrentNet(obs_dim, cell, H, sizes, None, activation)
        self.critic = RecurrentNet(obs_dim, cell, H, sizes, 1, activation)
        self.head = make_head(
            self.actor.mlp.out_features, self.action_space, device, std0=config["agent.std0"]
        )
        self.to(self.device)
        self.optimizer = torch.optim.Adam([self.flat], lr=config["agent.lr"], eps=1e-5, fused=True)
        # [B, 2, 2 H], of actor and critic; evaluation has a memory of its own.
        self.memory = {"train": None, "eval": None}

    @property
    def mode(self):
        return "train" if self.training else "eval"

    def remembered(self, B):
        """The memory ``[B, 2, 2 H]`` of this mode; empty where there is none for so many rows."""
        memory = self.memory[self.mode]
        if memory is None or len(memory) != B:
            H = self.config["agent.memory_size"]
            memory = torch.zeros(B, 2, 2 * H, device=self.device)
        return memory

    def begin(self, rows):
        memory = self.remembered(len(rows))
        rows = torch.as_tensor(rows, device=self.device)
        self.memory[self.mode] = memory.masked_fill(rows[:, None, None], 0.0)

    @torch.no_grad()
    def choose_action(self, x, **kwargs):
        memory, obs = self.remembered(len(x)), tensorify(x, self.device)[None]  # [1, B, obs]
        features, actor_state = self.actor(obs, memory[:, 0])
        _, critic_state = self.critic(obs, memory[:, 1])
        self.memory[self.mode] = torch.stack([actor_state, critic_state], 1)
        features = numpify(features[0], np.float32)
        action = self.head.act(features, self.rng, greedy=not self.training)
        return {"action": action, "memory": numpify(memory, np.float32)}  # before this step

    def learn(self, D, timestep=0, **kwargs):
        config, L = self.config, self.L
        D = sorted(D, key=lambda tau: tau.stream)  # one environment's steps stay in order
        obs, action, memory, reset = (x.to(self.device) for x in sequences(D, L))
        with torch.no_grad():
            logprob_old, _, V_old = self.evaluate(obs, action, memory, reset)  # [L, K]
        A = self.advantages(D, V_old)
        target = V_old + A
        A = (A - A.mean()) / (A.std(correction=0) + 1e-8)

        if config["agent.lr_decay"]:
            remaining = 1 - timestep / config["train.timestep"]
            self.optimizer.param_groups[0]["lr"] = config["agent.lr"] * max(remaining, 0.0)
        clip = config["agent.clip"]
        logs = []
        for _ in range(config["agent.num_epoch"]):
            order = torch.randperm(len(memory), device=self.device)
            for k in order.split(max(config["agent.batch_size"] // L, 1)):
                logprob, entropy, V = self.evaluate(obs[:, k], action[:, k], memory[k], reset[:, k])
                logratio = logprob - logprob_old[:, k]
                ratio = logratio.exp()
                clipped = ratio.clamp(1 - clip, 1 + clip)
                policy_loss = -torch.min(ratio * A[:, k], clipped * A[:, k]).mean()  # eq. 7
                value_loss = F.mse_loss(V, target[:, k])
                entropy = entropy.mean()
                loss = (
                    policy_loss
                    + config["agent.value_coef"] * value_loss
                    - config["agent.entropy_coef"] * entropy  # eq. 9
                )

                self.zero_grad()
                loss.backward()
                grad_norm = self.clip_grad_norm(config["agent.max_grad_norm"])
                self.optimizer.step()

                with torch.no_grad():
                    approx_kl = (ratio - 1 - logratio).mean()  # joschu.net/blog/kl-approx.html, k3
                    clip_frac = (ratio != clipped).float().mean()
                    row = [policy_loss, value_loss, entropy, approx_kl, clip_frac, grad_norm]
                    logs.append(torch.stack(row))

        names = ["policy_loss", "value_loss", "entropy", "approx_kl", "clip_frac", "grad_norm"]
        return dict(zip(names, torch.stack(logs).mean(0).tolist(), strict=True))

    def evaluate(self, obs, action, memory, reset):
        """Log-probabilities, entropies and values of sequences, ``[L, K]`` each."""
        features, _ = self.actor(obs, memory[:, 0], reset)
        V, _ = self.critic(obs, memory[:, 1], reset)
        logprob, entropy = self.head.evaluate(features.flatten(0, 1), action.flatten(0, 1))
        shape = obs.shape[:2]
        return logprob.view(shape), entropy.view(shape), V.squeeze(-1)

    @torch.no_grad()
    def advantages(self, D, V_old):
        """``[L, K]`` generalized advantages."""
        # The critic's state at the last observation: one step on from the last that is known.
        obs = np.stack([tau.observations[-2:] for tau in D], 1)  # [2, M, obs]
        memory = np.stack([tau.extras["memory"][-1, 1] for tau in D])  # [M, 2 H]
        last_V, _ = self.critic(tensorify(obs, self.device), tensorify(memory, self.device))
        A = gae(
            self.config["agent.gamma"],
            self.config["agent.lam"],
            np.concatenate([tau.rewards for tau in D]),
            numpify(V_old.T.reshape(-1), np.float32),
            numpify(last_V[1].squeeze(-1), np.float32),
            np.array([tau.terminated for tau in D]),
            lengths=[tau.T for tau in D],
        )
        return tensorify(A, self.device).view(V_old.T.shape).T

    def get_extra_state(self):
        memory = self.memory["train"]
        memory = None if memory is None else numpify(memory, np.float32)
        return {**super().get_extra_state(), "memory": memory}

    def set_extra_state(self, state):
        super().set_extra_state(state)
        memory = state["memory"]
        self.memory["train"] = None if memory is None else tensorify(memory, self.device)


def sequences(D, L):
    """Trajectories, ordered by stream, as ``K`` sequences of ``L`` steps.

    Returns:
        tuple: tensors; observations ``[L, K, obs]``, actions ``[L, K, *action]``, memory before the
        first step of each ``[K, 2, 2 H]``, and where else episodes begin, ``[L, K]`` bool.
    """
    cut = lambda x: np.stack(np.split(x, len(x) // L), 1)  # [N, ...] -> [L, K, ...]
    obs = cut(np.concatenate([tau.observations[:-1] for tau in D]))
    action = cut(np.concatenate([tau.actions for tau in D]))
    memory = cut(np.concatenate([tau.extras["memory"] for tau in D]))[0]
    begins = cut(np.concatenate([np.arange(tau.T) == 0 for tau in D]))
    begins[0] = False  # the memory is that after the beginning
    return tensorify(obs, "cpu"), *(torch.from_numpy(x) for x in (action, memory, begins))
