"""Bare layers in a row, for a module to call one after the other with what it wants in between."""

from itertools import pairwise

from torch import nn

from lagom.networks.layers import Linear


def make_fc(input_dim, hidden_sizes):
    """Fully connected layers, the first from ``input_dim``, without activations.

    Args:
        input_dim (int): size of the input.
        hidden_sizes (list): output size of each layer.

    Returns:
        nn.ModuleList: of :class:`Linear`, with PyTorch's initialization.

    Raises:
        TypeError: ``hidden_sizes`` is not a list.

    Example:
        >>> make_fc(3, [4, 5, 6])
        ModuleList(
          (0): Linear(in_features=3, out_features=4, bias=True)
          (1): Linear(in_features=4, out_features=5, bias=True)
          (2): Linear(in_features=5, out_features=6, bias=True)
        )
    """
    _check("make_fc", hidden_sizes=hidden_sizes)
    return nn.ModuleList(Linear(i, o) for i, o in pairwise([input_dim, *hidden_sizes]))


def make_cnn(input_channel, channels, kernels, strides, paddings):
    """2D convolutions, the first from ``input_channel``, without activations.

    Args:
        input_channel (int): channels of the input.
        channels (list): output channels of each layer.
        kernels (list): kernel size of each layer, in pixels; a number or (height, width).
        strides (list): likewise.
        paddings (list): likewise.

    Returns:
        nn.ModuleList: of ``nn.Conv2d``, with PyTorch's initialization.

    Raises:
        TypeError: one of the lists is none.
        ValueError: they differ in length.

    Example:
        >>> make_cnn(input_channel=3, channels=[16, 32], kernels=[4, 3], strides=[2, 1],
        ...          paddings=[1, 0])
        ModuleList(
          (0): Conv2d(3, 16, kernel_size=(4, 4), stride=(2, 2), padding=(1, 1))
          (1): Conv2d(16, 32, kernel_size=(3, 3), stride=(1, 1))
        )
    """
    lists = {"channels": channels, "kernels": kernels, "strides": strides, "paddings": paddings}
    _check("make_cnn", **lists)
    sizes = pairwise([input_channel, *channels])
    rows = zip(sizes, kernels, strides, paddings, strict=True)
    return nn.ModuleList(nn.Conv2d(i, o, *rest) for (i, o), *rest in rows)


def make_transposed_cnn(input_channel, channels, kernels, strides, paddings, output_paddings):
    """2D transposed convolutions, the first from ``input_channel``, without activations.

    Args:
        input_channel (int): channels of the input.
        channels (list): output channels of each layer.
        kernels (list): kernel size of each layer, in pixels; a number or (height, width).
        strides (list): likewise.
        paddings (list): likewise.
        output_paddings (list): likewise; what is added to one side of the output, since a strided
            convolution maps several input sizes to the same.

    Returns:
        nn.ModuleList: of ``nn.ConvTranspose2d``, with PyTorch's initialization.

    Raises:
        TypeError: one of the lists is none.
        ValueError: they differ in length.

    Example:
        >>> make_transposed_cnn(input_channel=3, channels=[16, 32], kernels=[4, 3], strides=[2, 1],
        ...                     paddings=[1, 0], output_paddings=[1, 0])
        ModuleList(
          (0): ConvTranspose2d(3, 16, kernel_size=(4, 4), stride=(2, 2), padding=(1, 1), \
output_padding=(1, 1))
          (1): ConvTranspose2d(16, 32, kernel_size=(3, 3), stride=(1, 1))
        )
    """
    lists = {"channels": channels, "kernels": kernels, "strides": strides, "paddings": paddings}
    _check("make_transposed_cnn", **lists, output_paddings=output_paddings)
    sizes = pairwise([input_channel, *channels])
    rows = zip(sizes, kernels, strides, paddings, output_paddings, strict=True)
    return nn.ModuleList(nn.ConvTranspose2d(i, o, *rest) for (i, o), *rest in rows)


def _check(where, **lists):
    """Refuse what is no list, and lists of different lengths."""
    for name, value in lists.items():
        if not isinstance(value, list | tuple):
            raise TypeError(f"{where}: {name} is {value!r}; expected a list, one item a layer")
    lengths = {name: len(value) for name, value in lists.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"{where}: lengths are {lengths}; expected the same, one item a layer")
