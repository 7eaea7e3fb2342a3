"""List the packages: algorithms/ and conf/ are installed as lagom.algorithms and lagom.conf."""

from setuptools import find_namespace_packages, find_packages, setup

setup(
    packages=[
        *find_namespace_packages(include=["lagom", "lagom.*"]),
        "lagom.algorithms",
        *(f"lagom.algorithms.{name}" for name in find_packages("algorithms")),
        "lagom.conf",
        *(f"lagom.conf.{name}" for name in find_namespace_packages("conf")),
    ]
)
