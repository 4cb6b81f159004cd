"""Trains models beside each other on one GPU, see README.md: python3 train.py SECONDS OUT LAYOUT.json [NAME=VALUE ...] [LAYOUT.json ...]"""

import json
import math
import os
import sys
import threading
import time
from types import SimpleNamespace

import numpy as np
import torch

from crops import AUGMENTATIONS, Crops, held_out
from model import Model
from optimizer import Optimizer

SEED = 1
WARM_UP_STEPS = 300
FLOOR_RATE = 0.01
# Batches whose crops are made at a time.
BATCHES_AHEAD = 16
REPORT_SECONDS = 30
# What may be said of a model's training; `held` are folders to measure on at the end, parted by commas.
OPTIONS = SimpleNamespace(data='train', held='', batch=32, side=64, rate=6e-3, augment='photographs')


def learning_rate(peak, number, progress):
    """Linear warm-up, then a cosine over the time from the peak to a hundredth of it."""
    cosine = (1 + math.cos(math.pi * progress)) / 2
    return peak * min(1, number / WARM_UP_STEPS) * (FLOOR_RATE + (1 - FLOOR_RATE) * cosine)


def captured(step, stream):
    """A step as a CUDA graph on a stream, once it is compiled."""
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            step()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        step()
    return graph.replay


class Training:
    """A model and all that its training needs, on a stream of its own."""

    def __init__(self, layout_file, options, device, out):
        self.name = os.path.basename(layout_file).removesuffix('.json')
        self.options, self.out = options, out
        with open(layout_file) as file:
            layout = json.load(file)
        self.model = Model(layout, np.fromfile(layout_file.removesuffix('.json') + '.f32', np.float32), device)
        self.gray = layout['definition']['channels'] == 1
        self.crops = Crops.shared(options.data, device, SEED, options.side)
        self.optimizer = Optimizer(self.model)
        self.x = self.draw(1).contiguous()
        self.sum_nats = torch.zeros((), device=device)
        self.number = 0
        self.run = self.step
        self.stream = None
        if device == 'cuda':
            self.stream = torch.cuda.Stream()
            self.model.compile()
            # The rate is still 0: the steps that compile change no weight.
            self.run = captured(self.step, self.stream)

    def draw(self, batches):
        options = self.options
        return self.crops.draw(options.batch * batches, options.side, self.gray, AUGMENTATIONS[options.augment])

    def step(self):
        torch._foreach_zero_([value.grad for value in self.model.parameters.values()])
        nats = self.model.loss(self.x)
        nats.backward()
        self.sum_nats.add_(nats.detach())
        self.optimizer.step()

    def train(self, end):
        """Steps until the time `end`."""
        if self.stream is None:
            self.steps(end)
        else:
            with torch.cuda.stream(self.stream):
                self.steps(end)

    def steps(self, end):
        options = self.options
        self.sum_nats.zero_()
        start = shown = time.time()
        shown_number = 0
        while time.time() < end:
            progress = (time.time() - start) / (end - start)
            for own in self.draw(BATCHES_AHEAD).split(options.batch):
                self.number += 1
                self.optimizer.prepare(self.number, learning_rate(options.rate, self.number, progress))
                self.x.copy_(own)
                self.run()
            if self.stream is not None:
                self.stream.synchronize()
            now = time.time()
            if now - shown > REPORT_SECONDS:
                count = self.number - shown_number
                bits = float(self.sum_nats) / count / math.log(2)
                print(f'{self.name} {self.number}: {bits:.4f} bits per sample, {count / (now - shown):.1f} steps/s', flush=True)
                self.sum_nats.zero_()
                shown, shown_number = now, self.number
                self.save()

    def save(self):
        average = self.model.flat(self.optimizer.average)
        average.tofile(f'{self.out}/{self.name}.f32')
        return average

    def finish(self, seconds):
        average = self.save()
        pixels = self.number * self.options.batch * self.options.side**2
        print(f'{self.name}: {self.number} steps, {pixels / 1e9:.3f} gigapixels of {self.crops.whole} images, {seconds:.0f} s')
        evaluated = Model(self.model.layout, average, self.x.device)
        for folder in filter(None, self.options.held.split(',')):
            with torch.no_grad():
                batches = held_out(folder, self.x.device, self.gray)
                bits = sum(float(evaluated.loss(x)) * x.numel() for x in batches) / sum(x.numel() for x in batches)
            print(f'{self.name}: {bits / math.log(2):.4f} bits per sample of {folder}', flush=True)


def main(seconds, out, *arguments):
    """Trains for so many seconds, compiling included; every half minute the weights' averages so far go to the folder `out`."""
    began = time.time()
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    torch.set_float32_matmul_precision('high')
    os.makedirs(out, exist_ok=True)
    chosen = []
    for argument in arguments:
        if argument.endswith('.json'):
            chosen.append((argument, SimpleNamespace(**vars(OPTIONS))))
        else:
            name, _, value = argument.partition('=')
            options = chosen[-1][1]
            setattr(options, name, type(getattr(options, name))(value))
    trainings = [Training(layout_file, options, device, out) for layout_file, options in chosen]
    print(f'ready after {time.time() - began:.0f} s', flush=True)
    end = began + float(seconds)
    threads = [threading.Thread(target=training.train, args=(end,)) for training in trainings]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for training in trainings:
        training.finish(time.time() - began)


if __name__ == '__main__':
    main(*sys.argv[1:])
