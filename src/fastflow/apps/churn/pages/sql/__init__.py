"""The room of SQL."""
