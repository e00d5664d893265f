"""The training steps in JAX: jitted, parameters and key donated, weights as n_{l−1} × n_l, the way JAX programs keep them.

Signal guesses carry their tangent in lockstep with the forward pass of the same trace, so that nothing is computed
twice. `batch` scope forms the direction V_l = X_{l−1}ᵀE_l, as a user would.
"""

import functools

import jax
import jax.numpy as jnp

import serving


def forward(params, x):
    """Inputs of all layers, masks of the hidden ones, logits."""
    inputs, masks = [x], []
    for w, b in params[:-1]:
        s = inputs[-1] @ w + b
        masks.append(s > 0)
        inputs.append(jax.nn.relu(s))
    w, b = params[-1]
    return inputs, masks, inputs[-1] @ w + b


def cross_entropy(logits, labels):
    logp = jax.nn.log_softmax(logits)
    return -jnp.mean(jnp.take_along_axis(logp, labels[:, None], axis=1))


def loss_of(params, x, labels):
    return cross_entropy(forward(params, x)[2], labels)


def descend(params, gradient, lr):
    return jax.tree.map(lambda p, g: p - lr * g, params, gradient)


def backprop(params, key, x, labels, lr):
    loss, gradient = jax.value_and_grad(loss_of)(params, x, labels)
    return descend(params, gradient, lr), key, loss


def weight_perturbation(params, key, x, labels, lr):
    key, draw = jax.random.split(key)
    leaves, tree = jax.tree.flatten(params)
    keys = jax.random.split(draw, len(leaves))
    direction = jax.tree.unflatten(tree, [jax.random.normal(k, p.shape, p.dtype) for k, p in zip(keys, leaves)])
    loss, d = jax.jvp(lambda params: loss_of(params, x, labels), (params,), (direction,))
    return jax.tree.map(lambda p, v: p - lr * d * v, params, direction), key, loss


def activity(keys, params, inputs, masks):
    guesses = [jax.random.normal(k, m.shape) * m for k, m in zip(keys, masks)]
    return guesses + [jax.random.normal(keys[-1], (inputs[0].shape[0], params[-1][0].shape[1]))]


def weight_transpose(keys, params, inputs, masks):
    rows = inputs[0].shape[0]
    guesses = []
    for k, m, (w, _) in zip(keys, masks, params[1:]):
        guesses.append((jax.random.normal(k, (rows, w.shape[1])) @ w.T) * m)
    return guesses + [jax.random.normal(keys[-1], (rows, params[-1][0].shape[1]))]


def mixing(keys, params, inputs, masks):
    rows = inputs[0].shape[0]
    guesses = []
    for k, m, x in zip(keys, masks, inputs[1:]):
        guesses.append((jax.random.normal(k, (rows, rows)) / rows**0.5 @ x) * m)
    return guesses + [jax.random.normal(keys[-1], (rows, params[-1][0].shape[1]))]


def signal_guess(guess, scope, params, key, x, labels, lr):
    """A step on guesses E_l of the signals: the exact directional derivatives by the forward mode, then SGD."""
    key, draw = jax.random.split(key)
    inputs, masks, logits = forward(params, x)
    guesses = guess(jax.random.split(draw, len(params)), params, inputs, masks)
    loss, delta = jax.value_and_grad(cross_entropy)(logits, labels)
    if scope == "example":
        added = guesses
    else:
        directions = [(x.T @ e, e.sum(0)) for x, e in zip(inputs, guesses)]
        added = [x @ v + c for x, (v, c) in zip(inputs, directions)]
    tangent = added[0]
    for (w, _), m, e in zip(params[1:], masks, added[1:]):
        tangent = (tangent * m) @ w + e
    if scope == "example":
        d = jnp.sum(delta * tangent, axis=1, keepdims=True)
        gradient = [(x.T @ (d * e), (d * e).sum(0)) for x, e in zip(inputs, guesses)]
    else:
        d = jnp.vdot(delta, tangent)
        gradient = [(d * v, d * c) for v, c in directions]
    return descend(params, gradient, lr), key, loss


def step_of(method, scope):
    match method:
        case "backprop":
            return backprop
        case "weight-perturbation":
            return weight_perturbation
        case "activity-perturbation":
            return functools.partial(signal_guess, activity, scope)
        case "weight-transpose":
            return functools.partial(signal_guess, weight_transpose, scope)
        case "activation-mixing":
            return functools.partial(signal_guess, mixing, scope)
    raise ValueError(f"no method `{method}`")


class Case:
    def __init__(self, request):
        self.parameters, x, labels = serving.layers(request["file"])
        batch = request["batch"]
        self.batches = [
            (jnp.asarray(x[i : i + batch]), jnp.asarray(labels[i : i + batch], jnp.int32))
            for i in range(0, len(x), batch)
        ]
        self.lr, self.guesses = request["lr"], request["guesses"]
        self.jitted = jax.jit(step_of(request["method"], request.get("scope")), donate_argnums=(0, 1))
        self.restart()

    def restart(self):
        self.params = [(jnp.array(w.T), jnp.array(b)) for w, b in self.parameters]
        self.key = jax.random.key(0)

    def step(self, number):
        """K guesses are K steps: what a user has without writing more."""
        x, labels = self.batches[number % len(self.batches)]
        for _ in range(self.guesses):
            self.params, self.key, loss = self.jitted(self.params, self.key, x, labels, self.lr)
        return loss

    def wait(self):
        jax.block_until_ready(self.params)


if __name__ == "__main__":
    jnp.zeros(1).block_until_ready()
    serving.serve("jax", jax.__version__, Case)
