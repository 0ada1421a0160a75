"""What distillation cost and gained, on one page."""

MODELS = ("teacher", "student", "baseline")


class DistillationReport:
    """Teacher, student and baseline side by side: scores, recovery, size and time.

    Make one with :meth:`from_estimator`. It prints as text, shows as tables in a
    notebook, and :meth:`to_html` writes a page with plots.

    Parameters
    ----------
    scores : DataFrame
        What :meth:`frame` returns: a row for each model.
    recovery : DataFrame
        Of "log_loss" and "accuracy", a row each: the `gain` of the student over the
        baseline and the `gap` of the teacher over it, both positive where that is
        better, and their ratio, `recovery`; with the ends `_low` and `_high` of their
        95 % intervals. A recovery is NaN where it is not measurable, as the interval
        of the gap is not above 0. Without teacher or baseline there is no row.
    by_class : DataFrame
        For each class of the test rows how many there are, the `agreement` of student
        and teacher, the `kl` from one to the other, and the accuracies.
    largest : DataFrame
        The ten test rows in which the student is furthest from the teacher, by the
        Kullback-Leibler divergence. Empty without a teacher.
    verdict : str
        What to think of it, in plain words.
    reliability : ReliabilityDisplay
        Confidence and accuracy of the models.
    about : dict
        What else the page says: `n_rows`, `n_classes`, `n_fits`, `notes` and the
        `kind` of the verdict; from the command line, what became of the `columns`.

    See Also
    --------
    ReliabilityDisplay : The plot of confidence against accuracy.
    DistilledClassifier : What a report is on.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn.model_selection import train_test_split
    >>> from skdistill import DistillationReport, DistilledClassifier
    >>> X, y = make_classification(n_samples=400, random_state=0)
    >>> X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    >>> forest = RandomForestClassifier(n_estimators=20)
    >>> model = DistilledClassifier(
    ...     forest, calibrate=False, max_epochs=10, random_state=0
    ... )
    >>> report = DistillationReport.from_estimator(
    ...     model.fit(X_train, y_train),
    ...     X_test,
    ...     y_test,
    ...     X_train=X_train,
    ...     y_train=y_train,
    ...     timing=False,
    ... )
    >>> report.frame().index.tolist()
    ['teacher', 'student', 'baseline']
    >>> report.recovery.index.tolist()
    ['log_loss', 'accuracy']
    """

    __module__ = "skdistill"  # where it is pickled from

    def __init__(
        self, scores, recovery, by_class, largest, verdict, reliability, about
    ):
        self.scores = scores
        self.recovery = recovery
        self.by_class = by_class
        self.largest = largest
        self.verdict = verdict
        self.reliability = reliability
        self.about = about

    @classmethod
    def from_estimator(
        cls,
        model,
        X_test,
        y_test,
        *,
        X_train=None,
        y_train=None,
        baseline="auto",
        reference=None,
        timing=True,
    ):
        """Compare a fitted student with its teacher and a baseline.

        Parameters
        ----------
        model : DistilledClassifier, DistilledClassifierCV, Pipeline or list of such
            The fitted model; of a search, such as `GridSearchCV`, it is
            `best_estimator_`. A list has fits that differ by their seed: scores are
            means over them, and intervals hold the noise between them as well.
        X_test : array-like of shape (n_samples, n_features)
            Rows that neither student nor teacher was fitted on.
        y_test : array-like of shape (n_samples,)
            Their labels.
        X_train, y_train : array-like, default=None
            What `model` was fitted on, for the baseline: a copy of the student, and of
            the steps before it, fitted with ``alpha=0``.
        baseline : "auto", fitted classifier, list of such or None, default="auto"
            The model that learned without the teacher. "auto" fits one to `X_train`
            and `y_train`, for each model; without these there is none.
        reference : fitted classifier or dict of str to fitted classifier, default=None
            Further models for comparison, by name.
        timing : bool, default=True
            Whether to measure the time of `predict_proba`, which asks each model a
            few hundred times more, for about a second.

        Returns
        -------
        DistillationReport
            The report.

        Raises
        ------
        ValueError
            If a parameter is invalid, `y_test` has labels that the model lacks, or a
            `baseline` or `reference` knows none of the model's classes.
        TypeError
            If `model` is no distilled classifier.
        NotFittedError
            If it is not fitted.

        Notes
        -----
        Log-loss, accuracy, balanced accuracy, Brier score and the area under the ROC
        curve (macro mean of one-vs-rest) are those of scikit-learn; a class without a
        test row is left out of means over classes. The expected calibration error has
        15 bins of confidence [1]_. Size and time of student, baseline and distilled
        references are those of their compact copies, where there can be one, with the
        steps before them; size is that of a pickle.

        Intervals are from 2,000 bootstrap samples of the test rows, the same for all
        models; for several fits they are t-intervals over rows and fits, and Fieller's
        of a recovery. Those of an accuracy and an agreement are Wilson's [2]_. They say
        nothing of another training set. `sample_weight` that the model was fitted with
        is not passed to the baseline of "auto".

        References
        ----------
        .. [1] C. Guo, G. Pleiss, Y. Sun, K. Weinberger, "On Calibration of Modern
           Neural Networks", ICML 2017, arXiv:1706.04599.
        .. [2] E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical
           Inference", Journal of the American Statistical Association 22, 1927.
        """
        # Here, because torch takes seconds, which a saved report does not need.
        from skdistill._inspection.report_comparison import Comparison

        compared = Comparison.of(
            model, X_test, y_test, X_train, y_train, baseline, reference
        )
        return cls(*compared.measured(timing))

    def frame(self):
        """Return the figures as a table.

        Returns
        -------
        pandas.DataFrame
            A row for each model, those that exist of "teacher", "student" and
            "baseline" first. The columns are the scores, `_low` and `_high` being the
            ends of 95 % intervals; `agreement` with the teacher and `kl`, the mean
            Kullback-Leibler divergence from it; the number of `parameters`, `bytes` in
            a file, microseconds for one row (`row_us_p50` and `row_us_p99`) and per
            row of a thousand (`us_per_row_of_1000`).
        """
        return self.scores.copy()

    def to_html(self, path):
        """Write the report as one page that needs nothing else.

        It has no script, and adapts to a phone, to print and to a dark screen. Plots
        are in it where matplotlib is installed.

        Parameters
        ----------
        path : str or path-like
            The file. An existing one is replaced.

        Returns
        -------
        pathlib.Path
            The file.
        """
        from skdistill._inspection.report_html import write_page

        return write_page(self, path)

    def __repr__(self):
        from skdistill._inspection.report_text import as_text

        return as_text(self)

    def _repr_html_(self):
        from skdistill._inspection.report_html import fragment

        return fragment(self)
