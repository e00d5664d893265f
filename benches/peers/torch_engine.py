"""The training steps in PyTorch, eager, with --compile, or with --graphs (compiled to CUDA graphs), weights as n_l × n_{l−1}, updates in place.

Compiled is the whole step of a guess, and of backpropagation the loss with its gradient. Random numbers stay ATen's:
the C++ that the compiler makes for them takes about twice as long.

Signal guesses carry their tangent in lockstep with the forward pass, so that nothing is computed twice. `batch` scope
forms the direction V_l = E_lᵀX_{l−1}, as a user would; the update at `example` scope is one `addmm_` a layer.
"""

import argparse
import functools
import os

import torch
import torch._inductor.config
import torch.nn.functional as F

import serving


def forward(params, x):
    """Inputs of all layers, masks of the hidden ones, logits."""
    inputs, masks = [x], []
    for w, b in params[:-1]:
        s = F.linear(inputs[-1], w, b)
        masks.append((s > 0).to(s.dtype))
        inputs.append(F.relu(s))
    w, b = params[-1]
    return inputs, masks, F.linear(inputs[-1], w, b)


def logits_of(params, x):
    for w, b in params[:-1]:
        x = F.relu(F.linear(x, w, b))
    w, b = params[-1]
    return F.linear(x, w, b)


def loss_of(params, x, labels):
    return F.cross_entropy(logits_of(params, x), labels)


def backprop(loss_of):
    def step(params, x, labels, lr):
        flat = [p for pair in params for p in pair]
        loss = loss_of(params, x, labels)
        gradient = torch.autograd.grad(loss, flat)
        with torch.no_grad():
            torch._foreach_add_(flat, gradient, alpha=-lr)
        return loss.detach()

    return step


@torch.no_grad()
def weight_perturbation(params, x, labels, lr):
    direction = [(torch.randn_like(w), torch.randn_like(b)) for w, b in params]
    loss, d = torch.func.jvp(lambda params: loss_of(params, x, labels), (params,), (direction,))
    for (w, b), (v, c) in zip(params, direction):
        w.addcmul_(v, d, value=-lr)
        b.addcmul_(c, d, value=-lr)
    return loss


def activity(params, inputs, masks):
    return [torch.randn_like(m).mul_(m) for m in masks] + [noise_at_logits(params, inputs)]


def weight_transpose(params, inputs, masks):
    rows = inputs[0].shape[0]
    guesses = [(torch.randn(rows, w.shape[0], device=w.device) @ w).mul_(m) for m, (w, _) in zip(masks, params[1:])]
    return guesses + [noise_at_logits(params, inputs)]


def mixing(params, inputs, masks):
    rows = inputs[0].shape[0]
    mixture = functools.partial(torch.randn, rows, rows, device=inputs[0].device)
    guesses = [(mixture().mul_(rows**-0.5) @ x).mul_(m) for m, x in zip(masks, inputs[1:])]
    return guesses + [noise_at_logits(params, inputs)]


def noise_at_logits(params, inputs):
    return torch.randn(inputs[0].shape[0], params[-1][0].shape[0], device=inputs[0].device)


def signal_guess(guess, scope):
    """A step on guesses E_l of the signals: the exact directional derivatives by the forward mode, then SGD."""

    @torch.no_grad()
    def step(params, x, labels, lr):
        inputs, masks, logits = forward(params, x)
        guesses = guess(params, inputs, masks)
        logp = F.log_softmax(logits, dim=1)
        loss = F.nll_loss(logp, labels)
        delta = (logp.exp() - F.one_hot(labels, logits.shape[1])) / len(x)
        if scope == "example":
            added = guesses
        else:
            directions = [(e.T @ x, e.sum(0)) for x, e in zip(inputs, guesses)]
            added = [F.linear(x, v, c) for x, (v, c) in zip(inputs, directions)]
        tangent = added[0]
        for (w, _), m, e in zip(params[1:], masks, added[1:]):
            tangent = torch.addmm(e, tangent * m, w.T)
        if scope == "example":
            d = (delta * tangent).sum(1, keepdim=True)
            for (w, b), x, e in zip(params, inputs, guesses):
                e = d * e
                w.addmm_(e.T, x, alpha=-lr)
                b.sub_(e.sum(0), alpha=lr)
        else:
            d = (delta * tangent).sum()
            for (w, b), (v, c) in zip(params, directions):
                w.addcmul_(v, d, value=-lr)
                b.addcmul_(c, d, value=-lr)
        return loss

    return step


def step_of(method, scope, compiled):
    match method:
        case "backprop":
            return backprop(compiled(loss_of))
        case "weight-perturbation":
            return compiled(weight_perturbation)
        case "activity-perturbation":
            return compiled(signal_guess(activity, scope))
        case "weight-transpose":
            return compiled(signal_guess(weight_transpose, scope))
        case "activation-mixing":
            return compiled(signal_guess(mixing, scope))
    raise ValueError(f"no method `{method}`")


class Case:
    def __init__(self, request):
        self.parameters, x, labels = serving.layers(request["file"])
        batch = request["batch"]
        x, labels = torch.from_numpy(x).to(OPTIONS.device), torch.from_numpy(labels).to(OPTIONS.device)
        self.batches = list(zip(x.split(batch), labels.split(batch)))
        self.lr, self.guesses = request["lr"], request["guesses"]
        torch._dynamo.reset()
        compiled = lambda function: function  # noqa: E731
        if OPTIONS.compile or OPTIONS.graphs:
            mode = "reduce-overhead" if OPTIONS.graphs else None
            compiled = functools.partial(torch.compile, dynamic=False, mode=mode)
        self.function = step_of(request["method"], request.get("scope"), compiled)
        self.backprop = request["method"] == "backprop"
        self.restart()

    def restart(self):
        def fresh(tensor):
            return torch.tensor(tensor, device=OPTIONS.device, requires_grad=self.backprop)

        self.params = [(fresh(w), fresh(b)) for w, b in self.parameters]
        torch.manual_seed(0)

    def step(self, number):
        """K guesses are K steps: what a user has without writing more."""
        x, labels = self.batches[number % len(self.batches)]
        for _ in range(self.guesses):
            loss = self.function(self.params, x, labels, self.lr)
        return loss

    def wait(self):
        if OPTIONS.device != "cpu":
            torch.cuda.synchronize()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--graphs", action="store_true")
    parser.add_argument("--device", default="cpu")
    OPTIONS = parser.parse_args()
    name = "torch-graphs" if OPTIONS.graphs else "torch-compile" if OPTIONS.compile else "torch"
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch._inductor.config.fallback_random = True
    torch.zeros(1, device=OPTIONS.device)
    serving.serve(name, torch.__version__, Case)
