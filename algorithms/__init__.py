"""Algorithms, a folder each; ``conf/algo/<name>.yaml`` names classes and hyperparameters."""
