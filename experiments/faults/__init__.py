"""Trainings that do not learn, one file a fault, and healthy ones: what `jaxnets.diagnose` is judged by.

Start in any file without an underscore; ``_fault.py`` says what such a file defines.
``python -m experiments.faults`` diagnoses them all and writes RESULTS.md.
"""

from experiments.faults._fault import Fault, load, names, train

__all__ = ["Fault", "load", "names", "train"]
