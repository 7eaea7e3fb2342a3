"""Recurrent networks over sequences ``[T, B, ...]``, time first: an LSTM with layer normalization.

A state is a tuple of tensors ``[B, H]``, for an LSTM ``(h, c)``; a stack has a list of them.
"""

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import PackedSequence

from lagom.networks.module import Module


class LayerNormLSTMCell(Module):
    r"""One step of an LSTM whose summed inputs and cell are normalized.

    .. math::
        i, f, g, o &= \mathrm{LN}(W_{ih} x_t) + \mathrm{LN}(W_{hh} h_{t-1}) \\
        c_t &= \mathrm{LN}(\sigma(f) \odot c_{t-1} + \sigma(i) \odot \tanh(g)) \\
        h_t &= \sigma(o) \odot \tanh(c_t)

    The biases are those of the normalizations.  The paper normalizes the cell for :math:`h_t` only;
    here, as in PyTorch's own example, what is normalized is also what is remembered.

    Each gate's weights begin orthogonal.  Normalization makes the output indifferent to their
    scale, but gradients are inversely proportional to it (van Laarhoven, 2017, arXiv:1706.05350):
    standard normal weights would learn the more slowly the wider the layer.

    Args:
        input_size (int): size of the input.
        hidden_size (int): ``H``, size of ``h`` and of ``c``.

    Reference:
        Ba et al., Layer Normalization, 2016 (arXiv:1607.06450), supplementary material.
        Orthogonal weights: Saxe et al., 2014 (arXiv:1312.6120); in this cell: Ha et al.,
        HyperNetworks, 2017 (arXiv:1609.09106), appendix A.2.3.
    """

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.weight_ih = nn.Parameter(torch.empty(4 * hidden_size, input_size))
        self.weight_hh = nn.Parameter(torch.empty(4 * hidden_size, hidden_size))
        self.layernorm_i = nn.LayerNorm(4 * hidden_size)
        self.layernorm_h = nn.LayerNorm(4 * hidden_size)
        self.layernorm_c = nn.LayerNorm(hidden_size)
        for weight in (self.weight_ih, self.weight_hh):
            for gate in weight.detach().chunk(4):
                nn.init.orthogonal_(gate)

    def forward(self, input, state):
        """Input ``[B, input_size]`` and state ``(h, c)`` to ``h'`` and ``(h', c')``."""
        return self.step(self.project(input), state)

    def project(self, input):
        """The input's part of the gates, ``[..., 4 H]``; it needs no state, so one call for all."""
        return self.layernorm_i(F.linear(input, self.weight_ih))

    def step(self, projected, state):
        """``forward`` from the result of ``project``."""
        h, c = state
        gates = projected + self.layernorm_h(F.linear(h, self.weight_hh))
        i, f, g, o = gates.chunk(4, -1)
        c = self.layernorm_c(f.sigmoid() * c + i.sigmoid() * g.tanh())
        h = o.sigmoid() * c.tanh()
        return h, (h, c)


class LSTMCell(nn.LSTMCell):
    """PyTorch's cell, called as :class:`LSTMLayer` calls cells."""

    def forward(self, input, state):
        """Input ``[B, input_size]`` and state ``(h, c)`` to ``h'`` and ``(h', c')``."""
        h, c = super().forward(input, state)
        return h, (h, c)

    def run(self, input, state):
        """Input ``[T, B, input_size]`` to outputs ``[T, B, H]`` and the last state.

        A call of oneDNN's is on CPUs several times faster than as many steps, if it is not one.
        """
        if len(input) == 1:
            output, state = self(input[0], state)
            return output[None], state
        parameters = self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh
        hx = tuple(s[None].contiguous() for s in state)
        settings = True, 1, 0.0, torch.is_grad_enabled(), False, False  # biases, layers, ...
        output, h, c = torch.lstm(input, hx, parameters, *settings)
        return output, (h[0], c[0])


class LSTMLayer(Module):
    """A recurrent cell run over sequences.

    Args:
        cell (type): class of the cell.  Called as ``cell(input, state)`` it gives the output and
            the new state, a tuple; with methods ``project`` and ``step``, see
            :class:`LayerNormLSTMCell`, the input's part is computed for all steps at once; with a
            method ``run``, see :class:`LSTMCell`, so are all steps between two resets.
        *cell_args: what the class is called with.
    """

    def __init__(self, cell, *cell_args):
        super().__init__()
        self.cell = cell(*cell_args)

    def forward(self, input, state, reset=None):
        """Outputs of all steps, and the state after each sequence's last.

        Args:
            input (Tensor or PackedSequence): ``[T, B, input_size]``, or packed sequences.
            state (tuple): ``(h, c)``, ``[B, H]`` each, rows in the order of the sequences before
                they were packed.
            reset (Tensor, optional): ``[T, B]`` bool, where an episode begins: there the state is
                set to zero before the step.  Ordered as ``state``.

        Returns:
            tuple: outputs ``[T, B, H]``, packed as the input, and the state, ordered as it came.

        Raises:
            ValueError: a shape does not fit.
        """
        packed = isinstance(input, PackedSequence)
        if packed:
            sizes = input.batch_sizes.tolist()  # of the sequences, longest first, that last so long
            rows = input.data
        else:
            sizes = [input.shape[1]] * len(input)
            rows = input.flatten(0, 1)
        _check(sizes, state, reset)
        if packed and input.sorted_indices is not None:
            state = tuple(s[input.sorted_indices] for s in state)
            reset = None if reset is None else reset[:, input.sorted_indices]

        begins = [False] * len(sizes) if reset is None else reset.any(1).tolist()  # mostly not
        if hasattr(self.cell, "run") and not packed:
            return self._run(input, state, reset, begins)
        step = self.cell
        if hasattr(step, "project"):
            rows, step = step.project(rows), step.step
        outputs, ended = [], []
        for t, x in enumerate(rows.split(sizes)):
            if t > 0 and sizes[t] < sizes[t - 1]:
                ended.append(tuple(s[sizes[t] :] for s in state))
                state = tuple(s[: sizes[t]] for s in state)
            if begins[t]:
                state = _cleared(state, reset[t, : sizes[t]])
            output, state = step(x, state)
            outputs.append(output)

        if not packed:
            return torch.stack(outputs), state
        state = tuple(torch.cat(parts[::-1]) for parts in zip(*ended, state, strict=True))
        if input.unsorted_indices is not None:
            state = tuple(s[input.unsorted_indices] for s in state)
        return input._replace(data=torch.cat(outputs)), state

    def _run(self, input, state, reset, begins):
        cuts, outputs = [t for t, begin in enumerate(begins) if begin and t > 0], []
        for start, end in pairwise([0, *cuts, len(input)]):
            if begins[start]:
                state = _cleared(state, reset[start])
            output, state = self.cell.run(input[start:end], state)
            outputs.append(output)
        return torch.cat(outputs), state


class StackedLSTM(Module):
    """Recurrent layers, each fed with the outputs of the one below.

    Args:
        num_layers (int): number of layers.
        layer (type): class of the layers.
        first_layer_args (list): what it is called with for the first layer,
        other_layer_args (list): and for the others.

    Raises:
        ValueError: ``num_layers`` is not positive.
    """

    def __init__(self, num_layers, layer, first_layer_args, other_layer_args):
        super().__init__()
        if num_layers < 1:
            raise ValueError(f"StackedLSTM: num_layers is {num_layers!r}; expected 1 or more")
        args = [first_layer_args] + [other_layer_args] * (num_layers - 1)
        self.layers = nn.ModuleList(layer(*x) for x in args)

    def forward(self, input, states, reset=None):
        """As :meth:`LSTMLayer.forward`, with a list of states, one a layer, first to last.

        Raises:
            ValueError: their number is another; a shape does not fit.
        """
        if len(states) != len(self.layers):
            raise ValueError(
                f"StackedLSTM: got {len(states)} states; expected {len(self.layers)}, one a layer"
            )
        out = []
        for layer, state in zip(self.layers, states, strict=True):
            input, state = layer(input, state, reset)
            out.append(state)
        return input, out


def make_lnlstm(input_size, hidden_size, num_layers=1):
    """Layers of :class:`LayerNormLSTMCell`.

    Args:
        input_size (int): size of the input.
        hidden_size (int): size of each layer's output.
        num_layers (int): number of layers.

    Returns:
        StackedLSTM: the layers.

    Example:
        >>> lstm = make_lnlstm(10, 8)
        >>> states = [(torch.zeros(5, 8), torch.zeros(5, 8))]
        >>> output, states = lstm(torch.randn(3, 5, 10), states)
        >>> output.shape, len(states), states[0][0].shape
        (torch.Size([3, 5, 8]), 1, torch.Size([5, 8]))
    """
    return StackedLSTM(
        num_layers,
        LSTMLayer,
        [LayerNormLSTMCell, input_size, hidden_size],
        [LayerNormLSTMCell, hidden_size, hidden_size],
    )


def _cleared(state, rows):
    """``state`` with zeros where ``rows`` ``[B]`` are true."""
    return tuple(s.masked_fill(rows[:, None], 0.0) for s in state)


def _check(sizes, state, reset):
    """Refuse what would be broadcast or cut short in silence."""
    if not sizes:
        raise ValueError("LSTMLayer: the input has no steps; expected [T, B, input_size], T >= 1")
    for s in state:
        if s.ndim != 2 or len(s) != sizes[0]:
            raise ValueError(
                f"LSTMLayer: state has shape {tuple(s.shape)} for {sizes[0]} sequences; "
                f"expected ({sizes[0]}, H)"
            )
    if reset is not None and (reset.shape != (len(sizes), sizes[0]) or reset.dtype != torch.bool):
        raise ValueError(
            f"LSTMLayer: reset has shape {tuple(reset.shape)} and dtype {reset.dtype}; "
            f"expected ({len(sizes)}, {sizes[0]}), bool"
        )
