"""What a notebook shows of a fitted estimator, below scikit-learn's diagram."""

from html import escape

from sklearn.frozen import FrozenEstimator

from skdistill._targets.asked import AskedModel

N_CLASSES = 8
"""How many classes are named."""
OF_NAME = "font-weight: bold; float: none; width: auto; white-space: nowrap"
"""The style of what a line is on; notebooks have a width for it that breaks it."""


class NotebookSummaryMixin:
    """A fitted estimator whose HTML says what `fit` found: classes, sizes, engine.

    Both methods are IPython's protocol, which scikit-learn's estimators follow; without
    HTML, by ``set_config(display="text")``, nothing is added.
    """

    @property
    def _repr_html_(self):
        diagram = super()._repr_html_
        return lambda: diagram() + _as_html(summary(self))

    def _repr_mimebundle_(self, **kwargs):
        bundle = super()._repr_mimebundle_(**kwargs)
        if "text/html" in bundle:
            bundle["text/html"] += _as_html(summary(self))
        return bundle


def summary(estimator):
    """Return what there is to say of an estimator: texts by what they are on.

    It is empty before `fit`.
    """
    found = vars(estimator)
    rows = {}
    if "classes_" in found:
        rows["classes"] = _classes(found["classes_"].tolist())
    if "student_" in found:
        rows["student"] = _model(found["student_"])
        teacher = found.get("teacher_")
        rows["teacher"] = "none" if teacher is None else _model(teacher)
        fitted = found.get("best_estimator_", estimator)  # of a search
        score = getattr(fitted, "teacher_score_", None)
        if score is not None:
            rows["teacher's accuracy out of fold"] = f"{score:.3f}"
    if "estimators_" in found:
        members = found["estimators_"]
        rows["networks"] = f"{len(members)}, each a {_model(members[0])}"
    if "best_params_" in found:
        rows["chosen"] = ", ".join(
            f"{name}={value!r}" for name, value in found["best_params_"].items()
        )
    if "best_score_" in found:
        rows["cross-validated score"] = f"{found['best_score_']:.4g}"
    if "engine_" in found:
        rows["engine"] = _engine(found["engine_"])
    return rows


def _classes(labels):
    more = f" and {len(labels) - N_CLASSES} more" if len(labels) > N_CLASSES else ""
    return f"{len(labels)}: {', '.join(map(str, labels[:N_CLASSES]))}{more}"


def _model(model):
    """Return the class of a fitted model, and the size of it if it is a net."""
    while isinstance(model, FrozenEstimator | AskedModel):
        is_frozen = isinstance(model, FrozenEstimator)
        model = model.estimator if is_frozen else model.model
    if model is None:
        return "left out when this was saved or copied"
    is_net = hasattr(model, "module_")
    name = type(model.module_ if is_net else model).__name__
    # Those of a forest are no nets, and may be in an array.
    nets = [model] if is_net else list(getattr(model, "estimators_", []))
    if not nets or not all(hasattr(net, "module_") for net in nets):
        return name
    n_weights = sum(w.numel() for net in nets for w in net.module_.parameters())
    return f"{name} of {n_weights:,} parameters"


def _engine(engine):
    if isinstance(engine, dict):
        return ", ".join(f"{name} {value}" for name, value in engine.items() if value)
    return engine


def _as_html(rows):
    """Return texts as a list of terms, which is empty where there are none."""
    items = "".join(
        f'<dt style="{OF_NAME}">{escape(name)}</dt>'
        f'<dd style="margin: 0">{escape(text)}</dd>'
        for name, text in rows.items()
    )
    grid = "display: grid; grid-template-columns: max-content auto; gap: 0 1em"
    return f'<dl style="{grid}; margin: .5em 0">{items}</dl>' if rows else ""
