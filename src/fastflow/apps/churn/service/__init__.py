"""The use cases of the churn workbench."""
