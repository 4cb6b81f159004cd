"""The optimizer of src/train/optimizer.ts, in operations that a CUDA graph can replay: what changes from step to step is in tensors."""

import math

import torch

MOMENTUM, MEMORY, EPSILON = 0.9, 0.99, 1e-8
MUON_MOMENTUM, MUON_GAIN, ITERATIONS = 0.95, 0.1, 5
QUINTIC = (3.4445, -4.775, 2.0315)
AVERAGE = 0.9995


class Optimizer:
    def __init__(self, model):
        self.parameters = model.parameters
        hidden = {p['name'] for p in model.layout['parameters'] if p['role'] == 'hidden'}
        self.adam_names = [name for name in self.parameters if name not in hidden]
        by_shape = {}
        for name, value in self.parameters.items():
            if name in hidden:
                by_shape.setdefault(tuple(value.shape), []).append(name)
        # Matrices of one shape step together.
        self.muon_groups = list(by_shape.values())
        self.momenta = [torch.stack([torch.zeros_like(self.parameters[name]) for name in names]) for names in self.muon_groups]
        self.first = {name: torch.zeros_like(self.parameters[name]) for name in self.adam_names}
        self.second = {name: torch.zeros_like(self.parameters[name]) for name in self.adam_names}
        self.average = {name: value.detach().clone() for name, value in self.parameters.items()}
        device = next(iter(self.parameters.values())).device
        self.rate, self.first_correction, self.second_correction, self.kept = torch.zeros(4, device=device).unbind()

    def prepare(self, number, rate):
        """Sets what step `number`, counted from 1, needs."""
        self.rate.fill_(rate)
        self.first_correction.fill_(1 / (1 - MOMENTUM**number))
        self.second_correction.fill_(1 / (1 - MEMORY**number))
        self.kept.fill_(min(AVERAGE, number / (number + 10)))

    def tensors(self):
        """What a training that goes on needs."""
        return [*self.momenta, *self.first.values(), *self.second.values(), *self.average.values()]

    @torch.no_grad()
    def step(self):
        """A step down the parameters' gradients, whose norm is clipped to 1."""
        gradients = {name: value.grad for name, value in self.parameters.items()}
        norm = torch.stack(torch._foreach_norm(list(gradients.values()))).norm()
        factor = torch.clamp(1 / (norm + 1e-12), max=1)
        self.adam(gradients, factor)
        for names, momentum in zip(self.muon_groups, self.momenta):
            self.muon(names, momentum, gradients, factor)
        averages = list(self.average.values())
        torch._foreach_mul_(averages, self.kept)
        torch._foreach_add_(averages, torch._foreach_mul(list(self.parameters.values()), 1 - self.kept))

    def adam(self, gradients, factor):
        own = [gradients[name] for name in self.adam_names]
        first = [self.first[name] for name in self.adam_names]
        second = [self.second[name] for name in self.adam_names]
        torch._foreach_mul_(own, factor)
        torch._foreach_mul_(first, MOMENTUM)
        torch._foreach_add_(first, own, alpha=1 - MOMENTUM)
        torch._foreach_mul_(second, MEMORY)
        torch._foreach_addcmul_(second, own, own, 1 - MEMORY)
        deviation = torch._foreach_sqrt(torch._foreach_mul(second, self.second_correction))
        torch._foreach_add_(deviation, EPSILON)
        steps = torch._foreach_div(torch._foreach_mul(first, self.rate * self.first_correction), deviation)
        torch._foreach_sub_([self.parameters[name] for name in self.adam_names], steps)

    def muon(self, names, momentum, gradients, factor):
        own = torch.stack([gradients[name] for name in names]) * factor
        momentum.mul_(MUON_MOMENTUM).add_(own, alpha=1 - MUON_MOMENTUM)
        step = orthogonalized(MUON_MOMENTUM * momentum + (1 - MUON_MOMENTUM) * own)
        gain = self.rate * (MUON_GAIN * math.sqrt(max(step.shape[1:])))
        torch._foreach_sub_([self.parameters[name] for name in names], list((step * gain).unbind()))


def orthogonalized(matrices):
    """The nearly semi-orthogonal factors of a stack of matrices (Jordan et al. 2024)."""
    wide = matrices.shape[1] < matrices.shape[2]
    x = matrices.transpose(1, 2) if wide else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-12)
    a, b, c = QUINTIC
    for _ in range(ITERATIONS):
        gram = x.transpose(1, 2) @ x
        x = a * x + x @ (b * gram + c * gram @ gram)
    return x.transpose(1, 2) if wide else x
