"""What the pictures of experiments show after two steps: axes, a name for each series, panels with an image.

Of each experiment the first row of its table and the first row with a goal are drawn.
"""

import numpy as np

PLANE = ("x1", "x2")
CLASSES = ["class 0", "class 1"]
SHOWN = {
    "autoencoder": {
        "reconstructions": 54,
        "codes_pca": ("z1", "z2", ["1", "5", "6"]),
        "canvas_autoencoder": 1,
        "between_autoencoder": 24,
    },
    "backprop_as_memory": {"multiplications": ("layers", "multiplications for the gradient", ["naive"])},
    "basis_regression": {
        "leave_one_out": ("penalty alpha", "leave-one-out RMSE, price in 1,000 dollars", ["linear"]),
    },
    "batch_norm": {
        "rates": (
            "learning rate", "training loss, in parts of the untrained", ["with_batch_norm", "goal 0.5"],
        ),
    },
    "coursera_digits": {"cost": ("step", "cost", ["lbfgs"]), "hidden_units": 25},
    "deep_sigmoid_digits": {"loss": ("epochs", "loss", ["xavier"])},
    "deep_vs_wide": {
        "steps": ("step", "validation accuracy at the best rate", ["1x16", "4x256"]),
        "rates": ("learning rate", "validation accuracy in the end", ["1x16", "4x256"]),
        "depth_and_width": 1,
    },
    "digits_mlp": {"loss_notebook": ("step", "loss", ["training", "test"]), "predictions": 32},
    "discriminants": {
        "projection_tumours": ("discriminant 1", "count", ["malignant", "benign"]),
        "regions_circles_kernel": (*PLANE, CLASSES),
    },
    "faces": {"mistakes": 16},
    "heart_disease": {"calibration": ("", "share of ones", ["perfect", "logistic"])},
    "hidden_space": {"parabola_2_lines": (*PLANE, ["line 1", "line 2", *CLASSES])},
    "hypergradient": {
        "losses": ("runs", "lowest validation loss so far", ["fixed", "tuned"]),
        "values_tuned": ("runs", "value", ["rate", "L2"]),
        "landscape_tuned": 1,
    },
    "kernel_machines": {
        "primal_and_dual": ("pairs of coefficients moved", "objective", ["primal", "dual"]),
        "regions_primal": (*PLANE, CLASSES),
        "support_vectors": 1,
    },
    "least_squares_descent": {
        "gradient_norm": ("step", "norm of the gradient", ["constant"]),
        "sizes": ("step", "size of the step", ["constant"]),
    },
    "lenet_digits": {"loss": ("step", "training loss", ["source"]), "confusion": 1},
    "linear_classifier": {"lines": (*PLANE, ["sigmoid", *CLASSES])},
    "loss_functions": {"accuracy": ("step", "validation accuracy", ["cross_entropy"])},
    "matrix_factorisation": {
        "errors": ("test RMSE (the axis begins at 0.85)", "", ["pmf on low_rank_ratings"]),
    },
    "nielsen_digits": {"cost": ("epochs", "quadratic cost", ["training rows"]), "confusion": 1},
    "one_class": {"most_alike": 10},
    "one_vs_all": {"weights_one_vs_all": 10, "confusion": 1},
    "perceptron": {"mistakes": ("rows seen", "mistakes so far", ["separable"])},
    "periodic_regression": {"up_to_4_pi": ("x", "|sin x|", ["data", "tanh_4_pi"])},
    "relu_digits": {"row_by_row": 1},
    "sentiment": {
        "loss": ("step", "training loss", ["bag", "lstm"]),
        "valid_accuracy": ("step", "validation accuracy", ["bag", "lstm"]),
    },
    "separating_line": {"lines": (*PLANE, ["that made the labels", "weak", "l2", *CLASSES])},
    "small_digits": {
        "epochs": ("epochs", "accuracy", ["validation rows, on the way", "train rows", "test rows"]),
        "confusion": 1,
    },
    "taylor_layers": {"sin": ("x", "absolute error", ["3 coefficients", "10 coefficients"])},
    "two_layer_net": {
        "accuracy": ("epochs", "accuracy", ["training batches", "validation rows"]),
        "loss": ("epochs", "loss", ["loss and penalty"]),
        "weights": 40,
    },
    "xor": {"plateaus": ("step", "cross-entropy", ["tanh_2_2_1"])},
}  # fmt: skip
"""``experiment -> picture ->`` labels of the axes and the legend's words, or the number of images."""


def assert_shown(experiment, pictures):
    """Pictures hold something, shares are shares, and what is written above is what is seen."""
    for figure in pictures.values():
        assert any(axes.has_data() for axes in figure.axes)
        for axes in figure.axes:
            if "accuracy" in axes.get_ylabel():
                for line in axes.lines:
                    values = np.asarray(line.get_ydata())
                    assert ((values >= 0) & (values <= 1))[np.isfinite(values)].all()
    for name, expected in SHOWN.get(experiment, {}).items():
        found = seen(pictures[name], expected)
        assert found == expected, f"{name}: {found}"


def seen(figure, like):
    if isinstance(like, int):
        return sum(len(axes.images) for axes in figure.axes)
    axes = figure.axes[0]
    named = axes.get_legend().get_texts() if axes.get_legend() else axes.get_yticklabels()
    words = [text.get_text() for text in named]
    return axes.get_xlabel(), axes.get_ylabel(), words
