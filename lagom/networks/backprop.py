"""Gradients of plain networks by hand, on arrays in the memory of the parameters.

A minibatch of 64 through layers of 64 is arithmetic of 50 us, under a multiple of that in calls of
torch and its autograd.  What is here does the same in NumPy: ``forward`` remembers what
``backward`` needs, and ``backward`` overwrites the gradients of the parameters.  Large arrays go to
kernels of torch.  Large products do so only where NumPy's would not keep to the threads of the
process: OpenBLAS takes half the time of torch's MKL on an AMD with AVX-512, six sevenths without.

Everything is float32 on the CPU.  Parameters and gradients must stay where they are while an object
of these is in use, as those of an agent do after :attr:`Module.flat`.
"""

import math

import numpy as np
import torch

from lagom.utils.threads import numpy_has_the_threads

_LARGE = 2**18  # multiplications in a product, from which on OpenBLAS uses all threads that it has
_MANY = 2**14  # numbers, from which on torch's slopes pay

# activation -> it in place; and dy times its slope where it gave y, in place of dy: of arrays, and
# of large arrays by torch
SLOPES = {
    torch.tanh: (
        lambda x: np.tanh(x, out=x),  # several times faster than torch's
        lambda dy, y: np.multiply(dy, 1 - y * y, out=dy),
        lambda dy, y: torch.ops.aten.tanh_backward.grad_input(dy, y, grad_input=dy),
    ),
    torch.relu: (
        lambda x: torch.relu_(torch.from_numpy(x)),
        lambda dy, y: np.multiply(dy, y > 0, out=dy),
        lambda dy, y: torch.ops.aten.threshold_backward.grad_input(dy, y, 0, grad_input=dy),
    ),
}


class LinearBackprop:
    """A :class:`Linear` layer; ``backward`` needs gradients that are there, and stay in place."""

    def __init__(self, layer):
        self.weight, self.weight_grad = _arrays(layer.weight)
        self.bias, self.bias_grad = _arrays(layer.bias)

    def forward(self, x):
        """``[N, in_features]`` to ``[N, out_features]``, a new array."""
        self.x = x
        return _affine(x, self.weight.T, self.bias)

    def backward(self, dy):
        """Gradients of the parameters from ``dy`` ``[N, out_features]``, that of the outputs."""
        _product(dy.T, self.x, out=self.weight_grad)
        np.matmul(np.ones(len(dy), np.float32), dy, out=self.bias_grad)  # the sum, in half the time

    def to_inputs(self, dy, columns=slice(None)):
        """The gradient of the inputs ``[N, in_features]``, or of some ``columns`` of these."""
        return _product(dy, self.weight[:, columns])


class MLPBackprop:
    """An :class:`MLP`, and if it has no last layer, perhaps that of a head in its place.

    Args:
        mlp (MLP): its activation is one of ``SLOPES``.
        out (Linear, optional): a layer on what ``mlp`` gives.
    """

    def __init__(self, mlp, out=None):
        out = mlp.out if out is None else out
        self.layers = [LinearBackprop(x) for x in (*mlp.layers, *([] if out is None else [out]))]
        self.activate, self.slope, self.large_slope = SLOPES[mlp.activation]
        self.num_activation = len(mlp.layers)  # the first layers are followed by one

    def forward(self, x):
        """``[N, in_features]`` to ``[N, out_features]``."""
        self.values = []  # of the activations
        for n, layer in enumerate(self.layers):
            x = layer.forward(x)
            if n < self.num_activation:
                self.activate(x)
                self.values.append(x)
        return x

    def backward(self, dy):
        """Gradients of the parameters from ``dy`` ``[N, out_features]``, that of the outputs."""
        dy = self._to_overwrite(dy)
        for n, layer in reversed([*enumerate(self.layers)]):
            dy = self._before_activation(n, dy)
            layer.backward(dy)
            if n > 0:
                dy = layer.to_inputs(dy)

    def to_inputs(self, dy, rows=slice(None), columns=slice(None)):
        """The gradient of the inputs ``[N, in_features]``; those of the parameters stay.

        ``rows`` says of which inputs ``dy`` is, if not of all, and ``columns`` what is wanted.
        """
        dy = self._to_overwrite(dy)
        for n, layer in reversed([*enumerate(self.layers)]):
            wanted = columns if n == 0 else slice(None)
            dy = layer.to_inputs(self._before_activation(n, dy, rows), wanted)
        return dy

    def _to_overwrite(self, dy):
        """``dy``, or a copy where an activation's slope will be put into it."""
        return dy.copy() if self.num_activation == len(self.layers) else dy

    def _before_activation(self, n, dy, rows=slice(None)):
        """From the gradient of what layer ``n`` with its activation gives to that without it, in
        the place of ``dy``."""
        if n == self.num_activation:
            return dy
        y = self.values[n][rows]
        if y.size < _MANY:
            self.slope(dy, y)
        else:
            self.large_slope(torch.from_numpy(dy), torch.from_numpy(y))
        return dy


class CategoricalBackprop:
    """What :class:`CategoricalHead` does with its logits."""

    def __init__(self, head):
        self.out = head.logits

    def forward(self, logits, action):
        """Log-probabilities of ``action`` ``[N]`` int64, and entropies; each ``[N]``."""
        logits = logits - logits.max(-1, keepdims=True)
        probs = np.exp(logits)
        total = probs.sum(-1, keepdims=True)
        probs /= total
        logits -= np.log(total)
        entropy = -np.vecdot(probs, logits)
        self.rows, self.action = np.arange(len(action)), action
        self.probs, self.logprobs, self.entropy = probs, logits, entropy
        return logits[self.rows, action], entropy

    def backward(self, d_logprob, d_entropy):
        r"""The gradient ``[N, K]`` of the logits from ``d_logprob`` ``[N]``, ``d_entropy`` (float).

        .. math::
            \frac{\partial \log \pi_a}{\partial l_k} = 1_{a = k} - \pi_k, \qquad
            \frac{\partial H}{\partial l_k} = -\pi_k (\log \pi_k + H)
        """
        d_logits = self.logprobs + self.entropy[:, None]
        d_logits *= -d_entropy
        d_logits -= d_logprob[:, None]
        d_logits *= self.probs
        d_logits[self.rows, self.action] += d_logprob
        return d_logits


class DiagGaussianBackprop:
    """What :class:`DiagGaussianHead` does with its means, and its scale."""

    def __init__(self, head):
        self.out = head.mean_head
        self.logstd, self.logstd_grad = _arrays(head.logstd_head)

    def forward(self, mean, action):
        """Log-probabilities of ``action`` ``[N, D]``, and entropies; each ``[N]``."""
        self.inv_std = np.exp(-self.logstd)
        self.z = (action - mean) * self.inv_std  # [N, D]
        D = len(self.logstd)
        constant = self.logstd.sum() + np.float32(0.5 * math.log(2 * math.pi) * D)
        logprob = -0.5 * np.vecdot(self.z, self.z) - constant
        return logprob, np.full(len(mean), constant + np.float32(0.5 * D))

    def backward(self, d_logprob, d_entropy):
        r"""The gradient ``[N, D]`` of the means, arguments as of :class:`CategoricalBackprop`.

        .. math::
            \frac{\partial \log \pi}{\partial \mu} = \frac{z}{\sigma}, \qquad
            \frac{\partial \log \pi}{\partial \log \sigma} = z^2 - 1, \qquad
            \frac{\partial H}{\partial \log \sigma} = 1
        """
        N, d_z = len(self.z), self.z * d_logprob[:, None]
        np.matmul(d_logprob, self.z * self.z, out=self.logstd_grad)
        self.logstd_grad += N * d_entropy - d_logprob.sum()
        d_z *= self.inv_std
        return d_z


class AdamArrays:
    """The step of ``torch.optim.Adam`` on one vector of parameters, in the optimizer's own state.

    Args:
        optimizer (torch.optim.Adam): of a single tensor, ``Module.flat``; without weight decay and
            other variants.  It goes on by itself whenever its own ``step`` is called.

    Reference:
        Kingma and Ba, Adam, 2015 (arXiv:1412.6980), algorithm 1.
    """

    def __init__(self, optimizer):
        (self.group,) = optimizer.param_groups
        (flat,) = self.group["params"]
        state = optimizer.state[flat]
        if not state:  # as torch begins
            state["step"] = torch.zeros(())
            state.update({key: torch.zeros_like(flat) for key in ("exp_avg", "exp_avg_sq")})
        self.num_step, self.m, self.v = (
            state[key].numpy() for key in ("step", "exp_avg", "exp_avg_sq")
        )
        self.parameters, self.grad = _arrays(flat)
        self.scratch = np.empty_like(self.m)

    def clip_grad_norm(self, max_norm):
        """As :meth:`Module.clip_grad_norm`."""
        return clip_grad_norm(self.grad, max_norm)

    def step(self):
        """Move the parameters by the gradient."""
        (beta1, beta2), x = self.group["betas"], self.scratch
        self.num_step += 1
        t = float(self.num_step)
        np.subtract(self.grad, self.m, out=x)
        x *= 1 - beta1
        self.m += x
        np.multiply(self.grad, self.grad, out=x)
        x -= self.v
        x *= 1 - beta2
        self.v += x
        np.sqrt(self.v, out=x)
        x *= 1 / math.sqrt(1 - beta2**t)
        x += self.group["eps"]
        np.divide(self.m, x, out=x)
        x *= self.group["lr"] / (1 - beta1**t)
        self.parameters -= x


def clip_grad_norm(grad, max_norm):
    """As :meth:`Module.clip_grad_norm`, of an array."""
    norm = math.sqrt(grad @ grad)
    if norm > max_norm:
        grad *= max_norm / (norm + 1e-6)
    return norm


def _is_for_torch(num):
    """Whether a product of ``num`` multiplications is."""
    return num > _LARGE and not numpy_has_the_threads()


def _affine(x, y, bias):
    """``x @ y + bias``."""
    if _is_for_torch(x.size * y.shape[1]):
        return torch.addmm(*map(torch.from_numpy, (bias, x, y))).numpy()
    out = _product(x, y)
    out += bias
    return out


def _product(x, y, out=None):
    """The matrix product of two arrays."""
    num_inner = x.shape[1]
    if num_inner > 1 and not _is_for_torch(x.size * y.shape[1]):  # or NumPy is slow
        return np.matmul(x, y, out=out)
    out = None if out is None else torch.from_numpy(out)
    return torch.mm(torch.from_numpy(x), torch.from_numpy(y), out=out).numpy()


def _arrays(parameter):
    """A parameter and its gradient, if it has one, as arrays in the same memory."""
    grad = parameter.grad
    return parameter.detach().numpy(), None if grad is None else grad.numpy()
