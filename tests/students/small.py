"""What several tests of compact models share."""

import subprocess
import sys

import numpy as np
from sklearn.linear_model import LogisticRegression

from tests.nets import small_distilled

METHODS = "predict", "predict_proba", "predict_log_proba", "predict_logits"


def quick(**params):
    """Return an estimator whose student learns from labels, in milliseconds."""
    return small_distilled(LogisticRegression(), **{"alpha": 0.0, **params})


def assert_same(small, model, X):
    """Check that both predict the same of some rows, by every method."""
    for method in METHODS:
        ours, theirs = (getattr(one, method)(X) for one in (small, model))
        assert ours.dtype == theirs.dtype
        if method == "predict":
            np.testing.assert_array_equal(ours, theirs)
        else:
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def run_without(packages, code, python=sys.executable):
    """Run code in a fresh interpreter as if some packages were not installed.

    It ends with a check that none of them has been imported.
    """
    hidden = f"""
import sys
class Hidden:
    def find_spec(self, name, *args):
        if name.partition(".")[0] in {packages!r}:
            raise ModuleNotFoundError("No module named " + repr(name), name=name)
sys.meta_path.insert(0, Hidden())
{code}
assert not {packages!r} & {{name.partition(".")[0] for name in sys.modules}}
"""
    done = subprocess.run(
        [python, "-c", hidden], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
