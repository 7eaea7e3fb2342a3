"""Steps by hand, several times faster than by autograd: only as long as both do the same.

What an agent does with a minibatch is said by its ``step``, in readable torch.  Beside it, in
``closed_form.py``, stands a copy in NumPy for plain networks on the CPU.  Who changes ``step`` gets
the change, by autograd, and a warning that the copy does not follow.
"""

import copy
import warnings

import torch
from lagom.algorithms.adam import FusedAdam
from torch import nn

from lagom.networks import MLP, CategoricalHead, DiagGaussianHead, Linear
from lagom.networks.backprop import SLOPES, CategoricalBackprop, DiagGaussianBackprop
from lagom.utils.threads import prefer_numpy

HEADS = {CategoricalHead: CategoricalBackprop, DiagGaussianHead: DiagGaussianBackprop}
_CHECK_EVERY = 3000  # minibatches; a check costs as much as about thirty
_TOLERANCE = 1e-3  # relative; rounding gives 1e-5, and 1e-4 where values are in the thousands


class Choice:
    """Which of both makes the steps of an agent.

    The copy does where it applies, and has agreed with ``agent.step`` each time that they were
    compared: on the first data of each process, and now and then.

    Args:
        closed_form (type): ``closed_form.applies(agent)`` says whether an agent is of the kind;
            ``closed_form(agent)`` has ``step``, as of the agent; ``closed_form.lasts`` says whether
            it is still good for the minibatches of the next call.

    Attributes:
        agrees (bool): as far as is known.
        until_check (float): minibatches; not saved, as ``step`` may be edited before a resume.
    """

    def __init__(self, closed_form):
        self.closed_form = closed_form
        self.agrees, self.until_check, self.made = True, 0.0, None

    def __call__(self, agent, disagreement, num=1.0):
        """The ``step`` for the next ``num`` minibatches.

        Args:
            agent (Agent): its ``step`` is right by definition.
            disagreement (function): ``disagreement(look)``, the relative difference between what
                both do, for ``look`` 0, 1 and 2 with other numbers.
            num (float): minibatches.
        """
        if agent.config["agent.gradient"] == "autograd" or not self.agrees:
            return agent.step
        if self.until_check <= 0 or not self.closed_form.lasts:
            self.made = self._make(agent, disagreement)
        self.until_check -= num
        prefer_numpy(self.made is not None)
        return agent.step if self.made is None else self.made.step

    def state_dict(self):
        """What the next steps depend on."""
        return {"agrees": self.agrees}

    def load_state_dict(self, state):
        """Go on from ``state``."""
        self.agrees = state["agrees"]

    def __getstate__(self):
        return vars(self) | {"until_check": 0.0, "made": None}  # arrays of a copy lie elsewhere

    def _make(self, agent, disagreement):
        """The copy if it may be used, and else None."""
        if not self.closed_form.applies(agent):
            self.until_check = _CHECK_EVERY if self.closed_form.lasts else 0.0  # when to ask again
            return None
        if self.until_check <= 0 and not self._check(agent, disagreement):
            return None
        return self.closed_form(agent)

    def _check(self, agent, disagreement):
        self.until_check = _CHECK_EVERY
        for look in range(3):  # a kink may lie between two roundings, but hardly three times
            error = disagreement(look)
            self.agrees = error < _TOLERANCE
            if self.agrees:
                return True
        warnings.warn(
            f"{agent.config['algo.name']}: what {type(agent).__module__} does with a minibatch and "
            f"its copy in {self.closed_form.__module__} differ by {error:.1g} (relative); autograd "
            "is used, which is slower; agent.gradient=autograd chooses that without a warning",
            stacklevel=4,
        )
        return False


def is_plain(agent, nets, heads=(), others=(), kinds=(), net_kind=MLP):
    """Whether ``nets`` are what is written out by hand: an :class:`MLP` each, float32, on the CPU.

    Args:
        agent (Agent): what follows is to hold all its parameters.
        nets (list): networks.
        heads (list): modules on these: :class:`Linear`, or of one of ``kinds``.
        others (list): parameters.
        kinds (tuple): types of modules that are written out by hand as well.
        net_kind (type): what ``nets`` are instead of :class:`MLP`.
    """
    plain, modules = {net_kind, Linear, nn.ModuleList, *kinds}, []
    for net in (*nets, *heads):
        modules += net.modules()
    own = [*others, *(p for net in (*nets, *heads) for p in net.parameters())]
    return (
        all(type(m) in plain for m in modules)
        and all(m.bias is not None for m in modules if type(m) is Linear)
        and all(type(net) is net_kind and net.activation in SLOPES for net in nets)
        and {id(p) for p in own} == {id(p) for p in agent.parameters()}
        and all(p.requires_grad and p.is_cpu and p.dtype == torch.float32 for p in own)
    )


def is_plain_adam(optimizer, kinds=(FusedAdam,)):
    """Whether ``optimizer`` is of ``kinds`` of Adam, of one tensor, without variants and hooks."""
    group = optimizer.param_groups[0]
    return (
        type(optimizer) in kinds
        and len(optimizer.param_groups) == len(group["params"]) == 1
        and not (group["weight_decay"] or group["amsgrad"] or group["maximize"])
        and not optimizer._optimizer_step_pre_hooks
        and not optimizer._optimizer_step_post_hooks
    )


def follower(target, net, tau):
    """A function that takes ``target`` ``tau`` of the way to ``net``, modules of the same kind."""
    to, current = target.flat.detach(), net.flat.detach()
    return lambda: to.lerp_(current, tau)


def restorer(agent):
    """A function that brings back what ``agent`` is now, even if it forgets to save something."""
    tensors = [(x, x.detach().clone()) for x in (*agent.parameters(), *agent.buffers())]
    optimizers = [(x, copy.deepcopy(x.state_dict())) for x in agent.optimizers.values()]
    own = [(module, copy.deepcopy(_numbers(module))) for module in agent.modules()]
    rng, torch_rng = agent.rng.bit_generator.state, torch.get_rng_state()

    def restore():
        for x, value in tensors:
            x.detach().copy_(value)
        for optimizer, state in optimizers:
            optimizer.load_state_dict(copy.deepcopy(state))  # it keeps what it is given
        for module, numbers in own:
            vars(module).update(copy.deepcopy(numbers))
        agent.rng.bit_generator.state = rng
        torch.set_rng_state(torch_rng)

    return restore


def _numbers(module):
    """What a module counts, or keeps of the last update."""
    return {k: x for k, x in vars(module).items() if isinstance(x, int | float | list)}
