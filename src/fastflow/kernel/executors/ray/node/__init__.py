"""What stands beside every run on a node of a cluster: the agent and what it needs beyond the sidecar.

As the sidecar: standard library only, nothing of `fastflow`, siblings by bare name. Sidecar and agent are packed into one
folder (`ray/package.py`), which the cluster unpacks on the node.
"""
