"""A report's models, asked about the test rows and measured."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from skdistill._inspection.costs import costs, shipped
from skdistill._inspection.intervals import Measured, ScoreMeans
from skdistill._inspection.reliability_display import ReliabilityDisplay
from skdistill._inspection.report_models import (
    baselines_of,
    checked_models,
    checked_references,
    checked_rows,
    is_without_teacher,
    own_parts,
    proba_of,
    teacher_proba,
)
from skdistill._inspection.report_scores import (
    ROW_SCORES,
    disagreement,
    figures,
    largest_divergence,
    row_scores,
)
from skdistill._inspection.verdict import Case, verdict

RECOVERED = ("log_loss", "accuracy")
UNTUNED = (
    "The baseline is the same student with alpha=0, untuned: one with steps and weight "
    "decay tuned on held-out rows may be better; pass it as baseline=."
)
UNMEASURED = Measured(np.nan, np.nan, np.nan)


class Comparison(NamedTuple):
    """Models by name, what they say of test rows, and these.

    `proba` has an array for each fit of a model. `models` are the first fits, as they
    are shipped. `is_taught` says whether the student learned from more than labels,
    `is_own` whether the baseline is that student without its teacher, and
    `how_to_calibrate` what makes it learn from calibrated probabilities, if it did not.
    """

    X: object
    y: np.ndarray
    classes: np.ndarray
    models: dict
    proba: dict
    why_no_teacher: str | None
    is_taught: bool
    is_own: bool
    how_to_calibrate: str | None

    @classmethod
    def of(cls, model, X, y, X_train, y_train, baseline, reference):
        """Return the comparison that `DistillationReport.from_estimator` is to make."""
        fits, parts = checked_models(model)
        classes = parts[0].student.classes_
        X, y = checked_rows(X, y, classes)
        references = checked_references(reference, classes)
        baselines = baselines_of(baseline, parts, X_train, y_train)
        models, proba, why_no_teacher = {}, {}, None
        if all(each.teacher is not None for each in parts):
            models["teacher"] = parts[0].teacher
            proba["teacher"] = [teacher_proba(each, X) for each in parts]
        else:
            why_no_teacher = parts[0].why_no_teacher
        models["student"] = shipped(parts[0])
        proba["student"] = [proba_of(each, X, classes) for each in fits]
        if baselines:
            models["baseline"] = _as_shipped(baselines[0])
            proba["baseline"] = [proba_of(each, X, classes) for each in baselines]
        for name, each in references.items():
            models[name] = _as_shipped(each)
            proba[name] = [proba_of(each, X, classes)]
        is_taught = any(each.student.alpha != 0 for each in parts)
        is_own = isinstance(baseline, str) or all(
            map(is_without_teacher, baselines, parts)
        )
        return cls(
            X,
            y,
            classes,
            models,
            proba,
            why_no_teacher,
            is_taught,
            is_own,
            parts[0].how_to_calibrate,
        )

    def measured(self, timing):
        """Return what a `DistillationReport` is made of."""
        means = ScoreMeans(self._row_scores(), self._score_names)
        taken = {
            name: costs(model, self.X, timing) for name, model in self.models.items()
        }
        rows = {
            name: {**self._figures(name, means), **taken[name]} for name in self.proba
        }
        first = {name: fits[0] for name, fits in self.proba.items()}
        largest = pd.DataFrame()
        if "teacher" in first:
            largest = largest_divergence(
                first["student"], first["teacher"], self.y, self.classes
            )
        found = verdict(
            Case(
                means,
                taken,
                self.why_no_teacher,
                self.is_taught,
                self.is_own,
                self.how_to_calibrate,
            )
        )
        about = {
            "n_rows": len(self.y),
            "n_classes": len(self.classes),
            "n_fits": means.n_fits,
            "kind": found.kind,
            "notes": self._notes(means),
        }
        reliability = ReliabilityDisplay.of_proba(first, self.y)
        by_class = disagreement(first, self.y, self.classes)
        scores = pd.DataFrame.from_dict(rows, orient="index")
        recovered = self._recovery(means)
        return scores, recovered, by_class, largest, str(found), reliability, about

    @property
    def _score_names(self):
        return ROW_SCORES if "teacher" in self.proba else ROW_SCORES[:3]

    def _row_scores(self):
        teachers = self.proba.get("teacher", [None])
        scores = {}
        for name, fits in self.proba.items():
            # Of a single fit there may be as many scores as there are teachers.
            n_fits = max(len(fits), len(teachers))
            pairs = [
                (fits[i % len(fits)], teachers[i % len(teachers)])
                for i in range(n_fits)
            ]
            each = [row_scores(proba, self.y, teacher) for proba, teacher in pairs]
            scores[name] = np.stack(each, axis=1)[: len(self._score_names)]
        return scores

    def _figures(self, name, means):
        """Return the scores of a model, with the ends of their intervals."""
        each = [figures(proba, self.y) for proba in self.proba[name]]
        row = {}
        for score in [*each[0], "agreement", "kl"]:
            found = UNMEASURED
            if score in means.names:
                found = means.score(score, name)
            if score in each[0]:
                row[score] = np.mean([values[score] for values in each])
            else:
                row[score] = found.value
            if score in ROW_SCORES:
                row[f"{score}_low"], row[f"{score}_high"] = found.low, found.high
        return row

    def _recovery(self, means):
        """Return the table of recoveries, empty without teacher or baseline."""
        table = {}
        for score in RECOVERED if {"teacher", "baseline"} <= set(self.proba) else ():
            sign = -1 if score == "log_loss" else 1
            row = {}
            for called, model in {"gain": "student", "gap": "teacher"}.items():
                found = means.difference(score, model, "baseline")
                ends = sorted(sign * end for end in found[1:])
                row[called] = sign * found.value
                row[f"{called}_low"], row[f"{called}_high"] = ends
            found = means.recovery(score) or UNMEASURED
            names = "recovery", "recovery_low", "recovery_high"
            table[score] = {**dict(zip(names, found, strict=True)), **row}
        return pd.DataFrame.from_dict(table, orient="index")

    def _notes(self, means):
        """Return what a reader should know of the figures."""
        over = "test rows"
        if means.n_fits > 1:
            over = (
                f"test rows and {means.n_fits} fits; tables by class and row, plots "
                "of confidence, sizes and times are of the first"
            )
        notes = [f"Intervals are 95 %, over {over}."]
        absent = np.setdiff1d(np.arange(len(self.classes)), self.y)
        if len(absent):
            labels = ", ".join(map(str, self.classes[absent]))
            notes.append(f"No test row is of class {labels}.")
        if self.why_no_teacher is not None:
            notes.append(f"There is no teacher: {self.why_no_teacher}.")
        if "baseline" not in self.proba:
            notes.append("Without a baseline, recovery is not measured.")
        elif self.is_own:
            notes.append(UNTUNED)
        return notes


def _as_shipped(model):
    """Return a model as the student is measured: as a compact copy, if of ours."""
    parts = own_parts(model)
    return model if parts is None else shipped(parts)
