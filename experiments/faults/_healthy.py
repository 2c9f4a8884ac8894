"""Healthy problems."""

PROBLEMS = {}
