"""Gradients of networks with batch renormalization by hand; see :mod:`lagom.networks.backprop`."""

import numpy as np
import torch

from lagom.networks.backprop import SLOPES, LinearBackprop, MLPBackprop, _affine, _arrays, _product
from lagom.networks.batch_renorm import _EPS


class RenormLinearBackprop:
    r"""A :class:`BatchRenorm` and the :class:`Linear` layer on it, as one layer.

    With :math:`g = r / s` what is behind the normalization is :math:`w (x - \mu) g + w d + b`, and
    the layer's weights :math:`W` see it as weights :math:`W w g` on what is centred: matrices are
    scaled in place of minibatches.  The sums over a minibatch in

    .. math::
        \frac{\partial}{\partial x} = w g \left(\delta - \frac1N \sum \delta -
        \frac{x - \mu}{N s^2} \sum (x - \mu) \delta \right), \qquad \delta = W^T \mathrm{d}y

    are sums over the matrix of :math:`\sum \mathrm{d}y (x - \mu)^T`, which the weights need anyway.

    Attributes:
        learns (bool): ``forward`` uses, and notes, the moments of its minibatch, as with
            ``learn=True`` of the module; ``backward`` is only for such.
    """

    def __init__(self, norm, layer):
        self.norm, self.learns = norm, False
        self.gamma, self.gamma_grad = _arrays(norm.weight)
        self.beta, self.beta_grad = _arrays(norm.bias)
        self.mean, self.var = norm.mean.numpy(), norm.var.numpy()
        self.weight, self.weight_grad = _arrays(layer.weight)
        self.bias, self.bias_grad = _arrays(layer.bias)

    def forward(self, x):
        """``[N, in_features]`` to ``[N, out_features]``, a new array."""
        if self.learns:
            x = self._learn(x)
        else:
            self.scale = self.gamma / np.sqrt(self.var + np.float32(_EPS))
            shift = self.beta - self.mean * self.scale
            self.constant = self.bias + self.weight @ shift
        self.scaled = self.weight * self.scale
        return _affine(x, self.scaled.T, self.constant)

    def _learn(self, x):
        """``x`` without its mean; scale and constant for that."""
        norm, N = self.norm, np.float32(len(x))
        mean = np.ones(len(x), np.float32) @ x
        mean /= N
        self.centred = x - mean
        var = np.einsum("nf,nf->f", self.centred, self.centred)
        var /= N
        self.inv_var = 1 / (var + np.float32(_EPS))
        self.gain, self.distance = np.sqrt(self.inv_var), np.float32(0)
        if norm.num_batch >= norm.warmup:
            inv_std_all = 1 / np.sqrt(self.var + np.float32(_EPS))
            r = inv_std_all / self.gain
            self.gain *= np.minimum(np.maximum(r, 1 / norm.r_max), norm.r_max)
            distance = (mean - self.mean) * inv_std_all
            self.distance = np.minimum(np.maximum(distance, -norm.d_max), norm.d_max)
        norm.num_batch += 1
        for moment, new in ((self.mean, mean), (self.var, var)):
            moment += norm.momentum * (new - moment)
        self.scale = self.gamma * self.gain
        self.shift = self.gamma * self.distance + self.beta
        self.constant = self.bias + self.weight @ self.shift
        return self.centred

    def backward(self, dy):
        """Gradients of the parameters from ``dy`` ``[N, out_features]``, that of the outputs."""
        N, total = np.float32(len(dy)), np.ones(len(dy), np.float32) @ dy
        outer = _product(dy.T, self.centred)  # [out_features, in_features]
        sums = total @ self.weight, np.einsum("oi,oi->i", self.weight, outer)
        np.multiply(outer, self.scale, out=self.weight_grad)
        self.weight_grad += np.multiply.outer(total, self.shift)
        self.bias_grad[:] = total
        self.beta_grad[:] = sums[0]
        self.gamma_grad[:] = sums[1] * self.gain + sums[0] * self.distance
        self.corrections = self.scale * sums[0] / N, -self.scale * sums[1] * self.inv_var / N

    def to_inputs(self, dy, columns=slice(None)):
        """The gradient of the inputs ``[N, in_features]``, or of some ``columns`` of these; after
        ``backward`` where the layer learns."""
        dx = _product(dy, self.scaled[:, columns])
        if self.learns:
            offset, slope = self.corrections
            dx -= offset[columns]
            slope = torch.from_numpy(slope[columns])
            torch.from_numpy(dx).addcmul_(torch.from_numpy(self.centred[:, columns]), slope)
        return dx


class RenormMLPBackprop(MLPBackprop):
    """A :class:`RenormMLP`, and perhaps a last layer of a head; else as :class:`MLPBackprop`."""

    def __init__(self, mlp, out=None):
        pairs = zip(mlp.norms, mlp.layers, strict=True)
        self.renorms = [RenormLinearBackprop(*pair) for pair in pairs]
        self.layers = [*self.renorms, *([] if out is None else [LinearBackprop(out)])]
        self.activate, self.slope, self.large_slope = SLOPES[mlp.activation]
        self.num_activation = mlp.num_hidden

    def forward(self, x, learn=False):
        """``[N, in_features]`` to ``[N, out_features]``; ``learn`` as of the module."""
        for layer in self.renorms:
            layer.learns = learn
        return super().forward(x)
