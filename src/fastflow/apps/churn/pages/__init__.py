"""The pages of the churn workbench."""
