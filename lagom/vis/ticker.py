"""Ticks of an axis: how many, and how they read."""


def set_ticker(ax, axis="x", num=None, KM_format=False, integer=False):
    """Set the number of ticks of one axis and let thousands and millions read as K and M.

    Args:
        ax (Axes): matplotlib axes.
        axis (str): ``"x"`` or ``"y"``.
        num (int): greatest number of intervals between ticks; None leaves the locations alone.
        KM_format (bool): ``1500`` reads ``1.5K``, ``1000000`` reads ``1.0M``.
        integer (bool): with ``KM_format``, cut what follows the point: ``1500`` reads ``1K``; with
            ``num``, put ticks at integers only.

    Returns:
        Axes: the same ``ax``.

    Raises:
        ValueError: ``axis`` is neither ``"x"`` nor ``"y"``.
    """
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    if axis not in ("x", "y"):
        raise ValueError(f"set_ticker: axis is {axis!r}; expected 'x' or 'y'")
    target = ax.xaxis if axis == "x" else ax.yaxis
    if num is not None:
        target.set_major_locator(MaxNLocator(num, steps=[1, 2, 2.5, 5, 10], integer=integer))
    if KM_format:
        target.set_major_formatter(FuncFormatter(lambda x, pos: _km(x, integer)))
    return ax


def _km(x, integer):
    for size, letter in ((1e6, "M"), (1e3, "K")):
        if abs(x) >= size:
            value = float(round(x / size, 9))  # 0.1 + 0.2 is not to read 0.30000000000000004
            return f"{int(x / size) if integer else value}{letter}"
    return f"{int(x)}" if integer else f"{x:g}"
