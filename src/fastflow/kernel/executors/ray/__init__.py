"""The Ray executor: every run a job on a cluster, with the same supervisor on its node."""
