"""Holds the loss and its gradient against the kernels', which `pack.mjs reference` wrote: python3 check.py LAYOUT.json"""

import json
import sys

import numpy as np
import torch

from model import Model

[layout_file] = sys.argv[1:]
stem = layout_file.removesuffix('.json')
with open(layout_file) as file:
    layout = json.load(file)
with open(f'{stem}.reference.json') as file:
    reference = json.load(file)
model = Model(layout, np.fromfile(f'{stem}.f32', np.float32), 'cpu')
shape = (-1, reference['side'], reference['side'], layout['definition']['channels'])
x = torch.from_numpy(np.fromfile(f'{stem}.samples.i32', np.int32).reshape(shape).astype(np.float32))
loss = model.loss(x)
loss.backward()
gradient = model.flat({name: value.grad for name, value in model.parameters.items()}) * x.numel()
kernels = np.fromfile(f'{stem}.gradient.f32', np.float32)
nats = reference['nats'] / x.numel()
loss_error = abs(loss.item() - nats) / nats
gradient_error = np.linalg.norm(gradient - kernels) / np.linalg.norm(kernels)
print(f'loss {loss_error:.1e}, gradient {gradient_error:.1e} from the kernels, relative')
# The kernels compute their linear maps with whole numbers, this with float32.
sys.exit(0 if loss_error < 5e-5 and gradient_error < 4e-2 else 1)
