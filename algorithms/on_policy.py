"""What algorithms share that learn from what the current policy did."""

import numpy as np
import torch
from torch.nn import functional as F

from lagom.networks import MLP
from lagom.networks.backprop import MLPBackprop
from lagom.utils.nested import index, split


def head_options(config):
    """How actions explore, as :func:`~lagom.networks.make_head` takes it.

    With ``agent.sde_every`` = 0, noise that depends on the state stays for ``train.num_step``
    steps, which is what a :class:`~lagom.StepRunner` collects between two updates.
    """
    if not config.get("agent.sde"):  # policies of before have no such key
        return {"std0": config["agent.std0"]}
    every = config["agent.sde_every"] or config["train.num_step"]
    return {"sde": {"logstd0": config["agent.sde_logstd"], "every": every}}


def regress(critic, optimizer, obs, target, num_epoch, batch_size):
    """Epochs of least squares; the mean of the losses.

    Args:
        critic (Module): ``[N, *obs]`` to ``[N, 1]``.
        optimizer (Optimizer): of ``critic.flat``.
        obs (Tensor): ``[N, *obs]``, or dictionaries and tuples of such.
        target (Tensor): ``[N]``.
        num_epoch (int): passes over the data, each in an order of its own.
        batch_size (int): rows of a minibatch.
    """
    is_plain = type(critic) is MLP and target.is_cpu
    gradient = _by_hand(critic) if is_plain else _by_autograd(critic)
    losses = []
    for _ in range(num_epoch):
        order = torch.randperm(len(target), device=target.device)
        batches = (split(index(x, order), batch_size) for x in (obs, target))
        for obs_i, target_i in zip(*batches, strict=True):
            losses.append(gradient(obs_i, target_i))
            optimizer.step()
    return float(np.mean(losses)) if is_plain else torch.stack(losses).mean().item()


def _by_autograd(critic):
    def gradient(obs, target):
        loss = F.mse_loss(critic(obs).squeeze(-1), target)
        critic.zero_grad()
        loss.backward()
        return loss.detach()

    return gradient


def _by_hand(critic):
    """The same for vectors, in a third of the time."""
    network = MLPBackprop(critic)

    def gradient(obs, target):
        error = network.forward(obs.numpy()) - target.numpy()[:, None]  # [N, 1]
        network.backward(error * np.float32(2 / len(error)))
        return np.vdot(error, error) / len(error)

    return gradient
