"""Columns of numbers: log, print, save."""

from pathlib import Path

from lagom.experiment import storage


class Logger:
    """A dictionary of lists; logging a key again appends to its list.

    Keys are words separated by ``_``.  Store numbers, strings and small lists; large arrays belong
    into files of their own.

    Example:
        >>> logger = Logger()
        >>> logger("iteration", 1)
        >>> logger("train_loss", 0.12)
        >>> logger("iteration", 2)
        >>> logger("train_loss", 0.11)
        >>> logger
        {'iteration': [1, 2], 'train_loss': [0.12, 0.11]}
        >>> logger.dump(index=-1)
        <BLANKLINE>
        Iteration: 2
        Train Loss: 0.11
        <BLANKLINE>
    """

    def __init__(self):
        self.logs = {}

    def __call__(self, key, value):
        """Append ``value`` to the list of ``key``; NumPy numbers become Python's."""
        if type(value).__module__ == "numpy" and getattr(value, "ndim", None) == 0:
            value = value.item()
        self.logs.setdefault(key, []).append(value)

    def dump(self, keys=None, index=None, indent=0, border=""):
        """Print one line a key.

        Args:
            keys (list): what to print; all by default.
            index (int or list): which elements of each list; all by default.
            indent (int): leading tabs.
            border (str): printed as a line before and after.

        Raises:
            TypeError: ``keys`` is not a list.
            IndexError: the list of a key does not reach that far.
        """
        if keys is not None and not isinstance(keys, list | tuple):
            raise TypeError(f"Logger.dump: keys is {keys!r}; expected a list of keys")
        lines = []
        for key in self.logs if keys is None else keys:
            title = key.strip().replace("_", " ").title()
            lines.append(f"{chr(9) * indent}{title}: {self._pick(key, index)}")
        print(border, *lines, border, sep="\n")

    def _pick(self, key, index):
        values = self.logs[key]
        if index is None:
            return values
        try:
            return [values[i] for i in index] if isinstance(index, list | tuple) else values[index]
        except IndexError:
            raise IndexError(
                f"Logger.dump: index is {index!r} and {key} has {len(values)} values; expected "
                "what all have, or keys=[...] that do"
            ) from None

    def save(self, f):
        """Write the dictionary to ``f`` plus ``.pkl``; the file is replaced whole."""
        storage.write_pickle(Path(f"{f}.pkl"), self.logs)

    def clear(self):
        """Forget everything."""
        self.logs.clear()

    def state_dict(self):
        """A copy of the lists."""
        return {"logs": {key: [*values] for key, values in self.logs.items()}}

    def load_state_dict(self, state):
        """Go on from ``state``."""
        self.logs = {key: [*values] for key, values in state["logs"].items()}

    def __repr__(self):
        return repr(self.logs)
