"""``lagom export``: the policy of a run in a folder of its own, for programs without lagom."""

from pathlib import Path

from lagom.cli.eval import find_policies
from lagom.cli.plot import check_path, complain, echo
from lagom.experiment.storage import is_storage_full, write_bytes
from lagom.vis.style import plain


def export(path, output=None):
    """Write ``policy.safetensors``, ``policy.json`` and, if it can be, ``policy.onnx``.

    Args:
        path (Path): a job, or whatever holds a single one; or a folder with a policy alone.
        output (Path): folder, made if missing; by default ``export`` in that of the job.

    Returns:
        int: exit code: 0 written, 2 wrong words, 4 cannot write, 5 no policy or a refused one, 6
        storage full.
    """
    from lagom.experiment.policy import read_policy

    try:
        check_path(Path(path))
    except ValueError as error:
        return complain(f"error: {plain(error)}", 2)
    targets, _ = find_policies(Path(path))
    if not targets:
        return complain(f"error: no policy in {plain(path)}; it is written when a run is done", 5)
    if len(targets) > 1:
        which = plain(targets[0]["path"])
        what = f"{len(targets)} policies in {plain(path)}; expected one run, such as {which}"
        return complain(f"error: {what}", 2)
    policy, folder = targets[0]["policy"], Path(output or Path(targets[0]["path"]) / "export")
    try:
        read_policy(policy)
        names = ("policy.safetensors", "policy.json")
        files = {name: (policy / name).read_bytes() for name in names}
    except (ValueError, OSError) as error:
        return complain(f"error: {plain(error)}", 5)
    model, complaint = _onnx(policy)
    if model is not None:
        files["policy.onnx"] = model
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            write_bytes(folder / name, data)
            echo(f"wrote {plain(folder / name)}")
    except OSError as error:
        code = 6 if is_storage_full(error) else 4
        what = f"cannot write {plain(folder)} ({error.strerror}); choose another folder with -o"
        return complain(f"error: {what}", code)
    return complain(complaint) if complaint else 0


def _onnx(policy):
    """The ONNX model, and None; or None, and why there is none."""
    from lagom.experiment.export import to_onnx

    try:
        return to_onnx(policy), None
    except ImportError as error:
        return None, f"no policy.onnx ({error}): pip install 'lagom[onnx]'"
    except ValueError as error:
        return None, plain(error)
