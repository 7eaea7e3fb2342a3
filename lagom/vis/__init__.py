"""What is looked at: images, runs as tables, learning curves with uncertainty."""

from importlib import import_module

_WHERE = {
    "GridImage": "grid",
    "ImageViewer": "viewer",
    "Run": "runs",
    "find_runs": "runs",
    "read_runs": "runs",
    "load_runs": "load",
    "set_ticker": "ticker",
    "read_xy": "xy",
    "plot_experiment": "plot",
    "final_table": "curves",
    "compare_curves": "compare",
    "make_aggregate": "aggregate",
    "measure": "aggregate",
    "plot_aggregate": "aggregate_figure",
    "make_sweep": "sweeps",
    "plot_sweep": "sweep_figure",
    "make_report": "report",
}
__all__ = list(_WHERE)


def __getattr__(name):  # matplotlib and pandas cost half a second each: only when used
    if name not in _WHERE:
        raise AttributeError(f"module 'lagom.vis' has no attribute {name!r}")
    return getattr(import_module(f"lagom.vis.{_WHERE[name]}"), name)
