"""Experiments, one file each: a model, its data and what it must reach.

Start in any file without an underscore; ``_contract.py`` says which names such a file defines.
``python -m experiments`` lists them.
"""
