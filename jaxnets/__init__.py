"""A training run is a pure function. Start in ``learner.py``, then ``train.py``."""
