"""As little as a run can be."""
