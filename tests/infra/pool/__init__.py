"""Tests of the local session pool: real processes, real kernels, over HTTP."""
