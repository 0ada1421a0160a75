"""Many replicas of one module, trained as one stacked network by one skorch net.

A replica is a seed with rows and targets. Whether it is a member of an ensemble, a fold
or a candidate of a search, nothing here knows.
"""

import inspect
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from threading import Event
from typing import NamedTuple

import numpy as np
import torch
from sklearn.base import clone
from skorch import NeuralNetClassifier
from torch import nn

from skdistill._training.batches import (
    ShuffledBatches,
    as_tensor,
    draw_order_seed,
)
from skdistill._training.blocks import Block, partition, takes_turns
from skdistill._training.loss import DistillationLoss
from skdistill._training.nets import is_own
from skdistill._training.one_net import (
    check_weights,
    diverged,
    run,
    settled,
    train_net,
)
from skdistill._training.own_epochs import Follower
from skdistill._training.seeds import isolated_randomness, training_mode
from skdistill._training.stackable import does_more_than_train, why_not_stacked
from skdistill._training.stacked_modules import (
    StackedLayers,
    plain_layers,
)

LARGE_BATCH = 4096
"""Beyond, masks of dropout for rows that are not there would waste memory."""


class Replica(NamedTuple):
    """One fit of those that are trained together; errors call it `name`.

    `sample_weight` and `teacher_logits` have a row for each of the `rows`, which are
    indices into X. Without `teacher_logits` it learns from the labels alone.
    """

    name: str
    seed: int
    rows: np.ndarray | None = None
    sample_weight: np.ndarray | None = None
    teacher_logits: np.ndarray | None = None
    temperature: float = 1.0
    alpha: float = 0.0


def train_stacked(net, X, y, replicas, *, n_classes, bar=None, verbose=0):
    """Train a copy of `net` for each of `replicas`; return them as `train_net` does.

    A replica comes out as it would alone, up to the rounding of floats: initialization,
    batch order and dropout are drawn from its own seed; but for dropout in modules of
    more than plain layers, which is drawn for all of them at once. They are trained on
    as many threads as torch would use, in blocks that do not depend on how many those
    are, so that the result does not either.

    Parameters
    ----------
    net : skorch.NeuralNetClassifier
        The net, unfitted, for which `why_not_stacked` gives no reason.
    X : ndarray of shape (n_samples, n_features), dtype float32
        The rows. They are held once, on the device of the net.
    y : ndarray of shape (n_samples,), dtype int64
        The labels.
    replicas : list of Replica
        What to train.
    n_classes : int
        Number of outputs of the module.
    bar : tqdm, default=None
        Moved on by one per replica and epoch, stopped early or not.
    verbose : int, default=0
        2 prints skorch's table, with the mean loss of all replicas.

    Returns
    -------
    list of skorch.NeuralNetClassifier
        The nets, ready to predict on the CPU, in the order of `replicas`.
    """
    follows = does_more_than_train(net)
    net = clone(net).set_params(verbose=int(verbose >= 2 and not follows))
    n_threads = torch.get_num_threads()
    nets, order_seeds, followers = [], [], []
    for replica in replicas:
        with isolated_randomness(replica.seed, net.device, own_module=is_own(net)):
            nets.append(clone(net).initialize())
            # Where ShuffledBatches would draw it.
            order_seeds.append(draw_order_seed())
            if follows:
                followers.append(Follower(nets[-1], replica, y))
    params = net.get_params(deep=False)
    if follows:
        replicas = [follower.replica for follower in followers]
        # The nets call them, and the table is not theirs to print.
        given = [name for name in params if name.startswith("callbacks__")]
        for name in ("callbacks", "train_split", *given):
            del params[name]
        params.update(train_split=None, verbose=int(verbose >= 2))
    if not params["verbose"] and params.get("callbacks") != "disable":
        # Beside small batches, making a table that nobody sees takes long.
        params["callbacks__print_log"] = None
    with training_mode():
        stacked = _StackedNet(**params)
        stacked.order_seeds_, stacked.followers_ = order_seeds, followers
        stacked.own_ = is_own(net)
        stacked.train(nets, X, y, replicas, n_classes, n_threads, bar)
    for index, (fitted, replica) in enumerate(zip(nets, replicas, strict=True)):
        if not follows:
            fitted.check_data(X, y if replica.rows is None else y[replica.rows])
            fitted.history.extend(stacked.history_of(index))
        check_weights(fitted, replica.name)
        settled(fitted)
    return nets


def train_replicas(net, X, y, replicas, *, n_classes, bar=None, verbose=0):
    """Train a copy of `net` for each of `replicas`, as one stack if that can be.

    It takes what `train_stacked` takes, for any net.

    Returns
    -------
    nets : list of skorch.NeuralNetClassifier
        The nets, ready to predict on the CPU, in the order of `replicas`.
    engine : {"vectorized", "joblib"}
        Whether they were trained as a stack or one by one.
    """
    for replica in replicas:
        _check_temperature(replica)
    shown = {"bar": bar, "verbose": verbose}
    if why_not_stacked(net, X) is None:
        nets = train_stacked(net, X, y, replicas, n_classes=n_classes, **shown)
        return nets, "vectorized"
    return [train_alone(net, X, y, replica, **shown) for replica in replicas], "joblib"


def _check_temperature(replica):
    """Raise if logits divided by the temperature, or differences of them, overflow."""
    if replica.teacher_logits is None:
        return
    largest = float(np.abs(replica.teacher_logits).max())
    # The student's logits, which it divides too, begin at about 1.
    lowest = 2 * max(largest, 1.0) / float(np.finfo(np.float32).max)
    if replica.temperature < lowest:
        raise ValueError(
            f"The temperature of {replica.name} must be at least {lowest:.2g}, as its "
            f"teacher gives logits of up to {largest:.2g}: divided by less, they "
            f"overflow float32. Got {replica.temperature}."
        )


def train_alone(net, X, y, replica, **shown):
    """Return a copy of `net`, trained as `replica` says and by skorch's own loop."""
    rows, weight, logits = replica.rows, replica.sample_weight, replica.teacher_logits
    if rows is not None:
        X, y = X[rows], y[rows]
    loss = None
    if logits is not None:
        loss = DistillationLoss(replica.temperature, replica.alpha)
    values = {"sample_weight": weight, "teacher_logits": logits}
    return train_net(
        clone(net),
        X,
        y,
        seed=replica.seed,
        name=replica.name,
        loss=loss,
        rows={name: value for name, value in values.items() if value is not None},
        **shown,
    )


class _AllStopped(Exception):
    """The callbacks of all replicas have stopped them."""


class _StackedNet(NeuralNetClassifier):
    """A net that trains blocks of replicas where others train a module.

    Its epochs, callbacks and history are skorch's; the loss in them is the mean.
    """

    def train(self, nets, X, y, replicas, n_classes, n_threads, bar):
        """Train the modules of `nets`."""
        self.replicas_, self.n_classes_, self.bar_ = replicas, n_classes, bar
        self.losses_ = []
        self.going_on_ = np.ones(len(nets), dtype=bool)
        self.stop_ = Event()
        tensors = [as_tensor(array).to(self.device) for array in (X, y)]
        self.modules_ = [net.module_ for net in nets]
        self.blocks_ = list(self._blocks(self.modules_, *tensors))
        with self._randomness():
            self._train_blocks(X, y, tensors, n_threads)
        self._write_weights()
        for follower in self.followers_:
            follower.end()
        if bar is not None:  # by the epochs that early stopping saved
            bar.update((self.max_epochs - len(self.losses_)) * len(nets))

    def _train_blocks(self, X, y, tensors, n_threads):
        for follower in self.followers_:
            follower.begin(X, y, *tensors)
        if takes_turns(self.blocks_[0].stack):
            n_threads = 1
        self.initialize()
        with ThreadPoolExecutor(n_threads) as pool:
            # One thread is this one, where the user may have chosen a CUDA stream.
            self.map_ = map if n_threads == 1 else pool.map
            try:
                with suppress(_AllStopped):
                    run(self, X, y)
            finally:
                self.stop_.set()

    def _randomness(self):
        """Return the context in which what has no generator of its own draws."""
        own = self.own_
        if own and isinstance(self.blocks_[0].stack, StackedLayers):
            return nullcontext()
        seed = self.replicas_[0].seed
        return isolated_randomness(seed, self.device, own_module=own)

    def _blocks(self, modules, X, y):
        # Dropout is drawn for batches of this size: no less for a small table, so that
        # a fold draws the same in a stack with others and alone.
        batch_size = len(X) if self.batch_size == -1 else self.batch_size
        if batch_size > LARGE_BATCH:
            batch_size = min(batch_size, len(X))
        shuffle = self.iterator_train is ShuffledBatches or (
            self.get_params_for("iterator_train").get("shuffle", False)
        )
        n_rows = [len(X if r.rows is None else r.rows) for r in self.replicas_]
        self.n_batches_ = -(-np.array(n_rows) // batch_size)
        n_parameters = sum(parameter.numel() for parameter in modules[0].parameters())
        # Other modules might see the rows that fill up the last batch of a block.
        sizes = (
            np.array(n_rows) if plain_layers(modules[0]) is None else self.n_batches_
        )
        for indices in partition(sizes, n_parameters, X.device):
            yield Block(
                indices,
                [modules[index] for index in indices],
                [self.replicas_[index] for index in indices],
                [self.order_seeds_[index] for index in indices],
                X,
                y,
                n_classes=self.n_classes_,
                batch_size=batch_size,
                shuffle=shuffle,
            )

    def initialize_module(self):
        self.module_ = nn.ParameterList(block.stack.flat for block in self.blocks_)
        return self

    def initialize_optimizer(self):
        for block in self.blocks_:
            block.optimizer = self._optimizer(block.stack.flat)
        # The one that schedules see; the others follow it.
        self.optimizer_ = self.blocks_[0].optimizer
        return self

    def _optimizer(self, parameter):
        named = [("parameter", parameter)]
        args, kwargs = self.get_params_for_optimizer("optimizer", named)
        if (
            "fused" in inspect.signature(self.optimizer).parameters
            and parameter.device.type in ("cpu", "cuda")
            and not kwargs.keys() & {"foreach", "fused", "differentiable"}
        ):
            kwargs["fused"] = True
        return self.optimizer(*args, **kwargs)

    def get_iterator(self, dataset, training=False):
        return self.blocks_ if training else None

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        if not training:
            return
        if not self.going_on_.any():
            raise _AllStopped
        for index in self._followed():
            self.followers_[index].begin_epoch()
        losses = self._losses_of_epoch()
        self.losses_.append(losses)
        loss = losses[self.going_on_].mean()
        self.history.record("train_loss", loss)
        if self.followers_:
            self._write_weights()
        for index in self._followed():
            follower = self.followers_[index]
            follower.end_epoch(float(losses[index]), int(self.n_batches_[index]))
            self.going_on_[index] = follower.goes_on
        for index in np.flatnonzero(self.going_on_ & ~np.isfinite(losses)):
            name = self.replicas_[index].name
            raise diverged(self, name, f"its loss became {losses[index]}")
        if self.bar_ is not None:
            self.bar_.set_postfix(loss=f"{loss:.3f}", refresh=False)
            self.bar_.update(len(losses))

    def _followed(self):
        return np.flatnonzero(self.going_on_) if self.followers_ else []

    def _losses_of_epoch(self):
        (group,) = self.optimizer_.param_groups
        settings = {name: value for name, value in group.items() if name != "params"}
        losses = np.empty(len(self.replicas_))
        of_blocks = self.map_(
            lambda block: block.run_epoch(settings, self.stop_), self.blocks_
        )
        for block, loss in zip(self.blocks_, of_blocks, strict=True):
            losses[block.indices] = loss
        return losses

    def _write_weights(self):
        for block in self.blocks_:
            for place, index in enumerate(block.indices):
                if self.going_on_[index]:
                    block.stack.write_to(self.modules_[index], place)

    def history_of(self, index):
        """Return the history of one replica, as it would be after a fit of its own."""
        best = np.inf
        for epoch, losses in zip(self.history, self.losses_, strict=True):
            loss = float(losses[index])
            yield {
                **epoch,
                "train_batch_count": int(self.n_batches_[index]),
                "train_loss": loss,
                "train_loss_best": loss < best,
            }
            best = min(best, loss)
