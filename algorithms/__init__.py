"""Algorithms, a folder each; ``conf/algo/<name>.yaml`` names the classes and the hyperparameters."""
