"""Objects to files and to other processes."""

import pickle
from pathlib import Path


def pickle_dump(obj, f, ext=".pkl") -> None:
    """Write any object, lambdas and classes of a notebook included, to a file.

    cloudpickle with its highest protocol; the file is replaced whole or not at all.

    Args:
        obj (object): what to write.
        f (str or Path): where.
        ext (str): appended to the name unless it ends so already.
    """
    import cloudpickle

    from lagom.experiment import storage

    storage.write_bytes(_with_extension(f, ext), cloudpickle.dumps(obj))


def pickle_load(f):
    """Return the object in the file ``f``, a pickle of whatever origin.

    .. warning::
        Reading a pickle runs the code in it: read only files that you, or someone you trust, wrote.
        For files of plain values there are readers that run nothing: :func:`yaml_load`, and
        ``read_pickle`` of ``lagom.experiment.storage`` for logs and configurations.

    Args:
        f (str or Path): the file, with its extension.
    """
    data = Path(f).read_bytes()
    try:
        return pickle.loads(data)
    except Exception as error:
        error.add_note(f"pickle_load: while reading {str(f)!r}")
        raise


def yaml_dump(obj, f, ext=".yaml") -> None:
    """Write plain values to a file that people can read and edit.

    Keys keep their order, tuples become lists and NumPy's scalars numbers; the file is replaced
    whole or not at all.

    Args:
        obj (object): dictionaries, lists, strings, numbers, booleans and None, in any nesting.
        f (str or Path): where.
        ext (str): appended to the name unless it ends so, or in ``.yaml`` or ``.yml``, already.

    Raises:
        TypeError: if something else is among the values.
    """
    import yaml

    from lagom.experiment import storage

    try:
        storage.write_yaml(_with_extension(f, ext, ".yaml", ".yml"), obj)
    except yaml.representer.RepresenterError as error:
        raise TypeError(
            f"yaml_dump: cannot write {error.args[-1]!r}; expected plain values; "
            "pickle_dump writes any object"
        ) from None


def yaml_load(f):
    """Return what the YAML file ``f`` holds; nothing in it can run code.

    Args:
        f (str or Path): the file, with its extension, whichever that is.

    Raises:
        ValueError: if it is not YAML, or asks for objects.
    """
    from lagom.experiment import storage

    return storage.read_yaml(f)


class CloudpickleWrapper:
    """A callable that pickles where its contents alone would not.

    multiprocessing pickles what it sends: wrap lambdas and classes of a notebook.  Calls and
    attributes are those of the contents.

    Args:
        x (object): the contents.

    Example:
        >>> double = pickle.loads(pickle.dumps(CloudpickleWrapper(lambda x: x * 2)))
        >>> double(4)
        8
    """

    def __init__(self, x):
        self.x = x

    def __call__(self, *args, **kwargs):
        """Call the contents."""
        return self.x(*args, **kwargs)

    def __getattr__(self, name):
        # Asked only for what is not found here: x itself on an object not initialized yet, and
        # __deepcopy__, which would copy the contents without the wrapper.
        if name in ("x", "__deepcopy__"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self.x, name)

    def __reduce__(self):
        import cloudpickle

        return _unwrap, (type(self), cloudpickle.dumps(self.x))

    def __repr__(self):
        return f"CloudpickleWrapper({self.x!r})"


def _unwrap(wrapper, data):
    return wrapper(pickle.loads(data))


def _with_extension(f, ext, *others):
    """``f`` as a path, with ``ext`` appended unless it has that or one of ``others``."""
    path = Path(f)
    return path if path.name.endswith((ext, *others)) else path.with_name(path.name + ext)
