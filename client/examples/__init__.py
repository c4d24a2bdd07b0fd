"""Loops to start from: a plain one, one in PyTorch, and a Slurm prolog."""
