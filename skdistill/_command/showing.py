"""`show`: what is in a model file, for people and for programs."""

import os
from collections import Counter

from sklearn.pipeline import Pipeline

from skdistill._command.models import expected_of, load_model
from skdistill._command.screen import printable
from skdistill._students.compact import CompactClassifier

MOST_SHOWN = 12


def description(path, *, trust_pickle=False):
    """Return what is in a model file, as what JSON can hold.

    Parameters
    ----------
    path : path-like
    trust_pickle : bool
        See `load_model`.

    Returns
    -------
    dict
    """
    model = load_model(path, trust_pickle=trust_pickle)
    expected = expected_of(model)
    names = expected.names or [None] * expected.n_features
    kinds = expected.kinds or [None] * expected.n_features
    last = model[-1] if isinstance(model, Pipeline) else model
    found = {
        "file": os.fspath(path),
        "bytes": os.path.getsize(path),
        "model": type(last).__name__,
        "steps": [type(step).__name__ for _, step in getattr(model, "steps", [])],
        "classes": model.classes_.tolist(),
        "n_features": expected.n_features,
        "features": [
            {"name": name, "kind": kind}
            for name, kind in zip(names, kinds, strict=True)
        ],
    }
    if isinstance(last, CompactClassifier):
        found |= _of_compact(last, path)
    return found


def _of_compact(model, path):
    """Return what is known of a compact model alone."""
    provenance = getattr(model, "provenance_", {})
    if model.student_ is not None:
        return {"student": type(model.student_).__name__, "provenance": provenance}
    widths = [len(model.coefs_[0]), *(coef.shape[1] for coef in model.coefs_)]
    weights = [*model.coefs_, *model.intercepts_]
    return {
        "student": "network",
        "layers": widths,
        "parameters": sum(each.size for each in weights),
        "stored_as": _stored_as(path),
        "provenance": provenance,
    }


def _stored_as(path):
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            dtype = file.get_slice("coef.0").get_dtype()
    except SafetensorError:  # a pickle holds them as they are
        return "float32"
    return {"F32": "float32", "F16": "float16", "I8": "int8"}.get(dtype, dtype)


def described(found):
    """Return a `description` as lines of text."""
    lines = [("file", f"{found['file']}, {found['bytes']:,} bytes")]
    model = found["model"]
    if found["steps"]:
        model = f"Pipeline of {', '.join(found['steps'])}"
    lines.append(("model", model))
    classes = _listed(map(repr, found["classes"]), len(found["classes"]))
    lines.append(("classes", f"{len(found['classes']):,}: {classes}"))
    lines.append(("features", _features(found)))
    if "layers" in found:
        arrows = " > ".join(map(str, found["layers"]))
        size = f"{found['parameters']:,} parameters, stored as {found['stored_as']}"
        lines.append(("layers", f"{arrows}; {size}"))
    elif "student" in found:
        lines.append(("student", found["student"]))
    lines += _trained(found.get("provenance", {}))
    # Names and the like are from the file, which may be anybody's.
    return "\n".join(f"{name:10}{printable(text)}" for name, text in lines)


def _listed(texts, n):
    texts = [*texts]
    return ", ".join(texts[:MOST_SHOWN]) + ", ..." * (n > MOST_SHOWN)


def _features(found):
    features, n = found["features"], found["n_features"]
    kinds = Counter(feature["kind"] for feature in features)
    if features[0]["name"] is None:
        return f"{n:,}, without names"
    if len(kinds) == 1:
        (kind,) = kinds
        of_kind = f" ({kind})" if kind else ""
        return f"{n:,}{of_kind}: {_listed((f['name'] for f in features), n)}"
    named = (f"{feature['name']} ({feature['kind']})" for feature in features)
    return f"{n:,}: {_listed(named, n)}"


def _trained(provenance):
    """Yield lines on where a model comes from."""
    if "created" in provenance:
        rows = provenance.get("n_samples")
        on = f" on {rows:,} rows" if isinstance(rows, int) else ""
        yield "trained", f"{provenance['created']}{on}"
    if "alpha" in provenance:
        teacher = provenance.get("teacher") or "none"
        yield (
            "teacher",
            f"{teacher}, temperature {provenance.get('temperature')}, alpha "
            f"{provenance['alpha']}",
        )
    if isinstance(provenance.get("versions"), dict):
        versions = provenance["versions"].items()
        yield "versions", ", ".join(f"{name} {number}" for name, number in versions)
    if isinstance(provenance.get("metrics"), dict):
        metrics = provenance["metrics"].items()
        yield "metrics", ", ".join(f"{name} {value:.4g}" for name, value in metrics)
