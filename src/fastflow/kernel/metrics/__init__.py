"""Figures for Prometheus: gathered from the database when they are asked for, so that they hold for every server of it."""
