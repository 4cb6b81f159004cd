"""Trains a model on a GPU for a given time, see README.md: python3 train.py LAYOUT.json DATA SECONDS OUT [BATCH] [RATE]"""

import json
import math
import os
import sys
import time

import numpy as np
import torch

from crops import Crops
from model import Model
from optimizer import Optimizer

SIDE = 64
SEED = 1
WARM_UP_STEPS = 300
FLOOR_RATE = 0.01
# Batches whose crops are made at a time.
BATCHES_AHEAD = 16
REPORT_SECONDS = 20


def learning_rate(peak, number, progress):
    """Linear warm-up, then a cosine over the time from the peak to a hundredth of it."""
    cosine = (1 + math.cos(math.pi * progress)) / 2
    return peak * min(1, number / WARM_UP_STEPS) * (FLOOR_RATE + (1 - FLOOR_RATE) * cosine)


def captured(step):
    """A step as a CUDA graph, once it is compiled."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def main(layout_file, folder, seconds, out, batch=32, rate=6e-3):
    began = time.time()
    name = os.path.basename(layout_file).removesuffix('.json')
    cuda = torch.cuda.is_available()
    device = 'cuda' if cuda else 'cpu'
    torch.set_float32_matmul_precision('high')
    with open(layout_file) as file:
        layout = json.load(file)
    model = Model(layout, np.fromfile(layout_file.removesuffix('.json') + '.f32', np.float32), device)
    gray = layout['definition']['channels'] == 1
    crops = Crops(folder, device, SEED)
    optimizer = Optimizer(model)
    x = crops.draw(batch, SIDE, gray).contiguous()
    sum_nats = torch.zeros((), device=device)

    def step():
        for value in model.parameters.values():
            value.grad.zero_()
        nats = model.loss(x)
        nats.backward()
        sum_nats.add_(nats.detach())
        optimizer.step()

    run = step
    if cuda:
        model.compile()
        # The rate is still 0: the steps that compile change no weight.
        run = captured(step)
    sum_nats.zero_()
    start = shown = time.time()
    number = shown_number = 0
    end = began + seconds
    while time.time() < end:
        progress = (time.time() - start) / (end - start)
        for own in crops.draw(batch * BATCHES_AHEAD, SIDE, gray).split(batch):
            number += 1
            optimizer.prepare(number, learning_rate(rate, number, progress))
            x.copy_(own)
            run()
        if cuda:
            torch.cuda.synchronize()
        now = time.time()
        if now - shown > REPORT_SECONDS:
            steps = number - shown_number
            bits = float(sum_nats) / steps / math.log(2)
            print(f'{name} {number}: {bits:.4f} bits per sample, {steps / (now - shown):.0f} steps/s', flush=True)
            sum_nats.zero_()
            shown, shown_number = now, number
    os.makedirs(out, exist_ok=True)
    model.flat(optimizer.average).tofile(f'{out}/{name}.f32')
    pixels = number * batch * SIDE**2
    took = round(time.time() - began)
    print(f'{name}: {number} steps, {pixels / 1e9:.3f} gigapixels of {crops.whole} images, {took} s')


if __name__ == '__main__':
    layout_file, folder, seconds, out, *more = sys.argv[1:]
    main(layout_file, folder, float(seconds), out, *(kind(text) for kind, text in zip((int, float), more)))
