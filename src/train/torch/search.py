"""Forms of the flow compared at equal training. The crops first, then a run for each form:

    python3 search.py draw TRAIN VALID KODAK WORK
    python3 search.py run LAYOUT.json WORK STEPS SEED [OPTION=VALUE...]

A run trains a model from random weights and prints a line of JSON. Of LAYOUT.json, which `pack.mjs unpack` writes, only the context network's
definition counts. The options are the fields of `Form`. Needs PyTorch 1.13 or newer; a linear algebra library such as OpenBLAS halves the time.
"""

import glob
import json
import math
import sys
import time
from dataclasses import asdict, dataclass, fields

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from crops import Crops, colour
from model import SERIES_LIMIT, Model, bounded
from optimizer import Optimizer

BATCH, SIDE = 8, 64
# What is drawn: for 1,200 steps without a repetition, so many at a time.
DRAWN, DRAWN_TOGETHER, DRAWING_SEED = 9600, 64, 1
# Sides of the squares that are measured: the middles of the images.
SIDES = {'valid': 128, 'kodak': 256}
PEAK_RATE, FLOOR_RATE, WARM_UP_STEPS = 8e-3, 0.01, 100
REPORT_STEPS = 100
CHANNELS = 3
# A step of the ODE keeps at least a tenth of a distance: what contracts takes 0.9 of 1 at most.
CONTRACTION = 0.9
# How far the context may change an amplitude: by a factor of e^2.
AMPLITUDE_BOUND = 2.0
REFINEMENT = 4
# Which shear and which weights of the field belong to a pair of coordinates, whichever of them comes first.
PAIRS = {(0, 1): 0, (0, 2): 1, (1, 2): 2}


@dataclass(frozen=True)
class Form:
    """A form of the one-dimensional flow, and the sizes of the network around it."""

    # none: z stays; affine: dz/dt = a z + b, solved in closed form; nonlinear: an explicit method on
    # dz/dt = b + a z + sum of B_h softsign(v_h z + p_h + tau_h t), p_h of the context and of the coordinates before.
    field: str = 'affine'
    steps: int = 4
    solver: str = 'euler'
    logistics: int = 4
    hidden: int = 8
    # Whether B_h may be negative; else it is positive.
    signed: bool = False
    # Whether the context changes B_h.
    amplitudes: bool = False
    # Whether the field sees nothing of the coordinates before; the shear still does.
    blind: bool = False
    order: str = '012'
    blocks: str = '222'

    @staticmethod
    def parse(options):
        kinds = {field.name: field.type for field in fields(Form)}
        read = {str: str, int: int, bool: lambda text: text == 'true'}
        return Form(**{name: read[kinds[name]](value) for name, value in (option.split('=') for option in options)})

    def head_sizes(self):
        """The head's outputs, in order."""
        own, mixed = CHANNELS * self.hidden * (self.field != 'none'), CHANNELS * self.logistics
        sizes = {'mean': CHANNELS, 'logScale': CHANNELS, 'shear': len(PAIRS)}
        sizes |= {'mixLogit': mixed, 'mixMean': mixed, 'mixLogScale': mixed, 'projection': own}
        sizes |= {'amplitude': own * self.amplitudes}
        return sizes | {'padding': -sum(sizes.values()) % 8}

    def field_parameters(self):
        """Shape, inputs and gain of each parameter of the field."""
        d, h = CHANNELS, self.hidden
        if self.field == 'none':
            return {}
        own = {'others': ([len(PAIRS), h], d, 1), 'a': ([d, h], h, 0.1), 'b': ([d, h], h, 0.1)}
        # Units of a nonlinear field begin at different places along z.
        own |= {'bias': ([d, h], 1, self.field == 'nonlinear'), 'aBias': ([d], 1, 0), 'bBias': ([d], 1, 0)}
        if self.field == 'nonlinear':
            own |= {name: ([d, h], 1, 1) for name in ('slope', 'size', 'time')}
        return own

    def field_multiply_adds(self):
        """Of the field for each pixel: the MLP, and carrying both edges of three bins through the ODE."""
        if self.field == 'none':
            return 0
        mlp = (len(PAIRS) * (not self.blind) + 2 * CHANNELS) * self.hidden
        if self.field == 'affine':
            return mlp
        evaluations = self.steps * (2 if self.solver == 'midpoint' else 1)
        return mlp + 2 * CHANNELS * evaluations * (2 * self.hidden + 2)


def layout_of(layout, form):
    """The layout of `fast` with the blocks, the head and the field of a form."""
    definition = layout['definition'] | {'blocks': [int(count) for count in form.blocks]}
    size = sum(form.head_sizes().values())
    width = definition['width']
    parameters = []
    for p in layout['parameters']:
        kind = p['name'].split('.')
        if kind[0] == 'field':
            continue
        if kind[-2] == 'head':
            p = p | {'shape': [*p['shape'][:-1], size], 'size': math.prod([*p['shape'][:-1], size])}
        # The blocks beyond those of the layout repeat the last one's shapes.
        if len(kind) > 3 and kind[2].startswith('block'):
            count, last = definition['blocks']['DHV'.index(kind[1])], layout['definition']['blocks']['DHV'.index(kind[1])] - 1
            number = int(kind[2][5:])
            numbers = [number] if number < min(count, last) else range(number, count) if number == last else []
            parameters += [p | {'name': '.'.join([*kind[:2], f'block{n}', *kind[3:]])} for n in numbers]
        else:
            parameters.append(p)
    for name, (shape, inputs, gain) in form.field_parameters().items():
        size = math.prod(shape)
        parameters.append({'name': f'field.{name}', 'role': 'field', 'shape': shape, 'size': size, 'fanIn': inputs, 'gain': gain})
    ends = np.cumsum([p['size'] for p in parameters]).tolist()
    parameters = [p | {'offset': end - p['size']} for p, end in zip(parameters, ends)]
    return layout | {'definition': definition, 'parameters': parameters}


def first_weights(layout, seed):
    """As src/train/initialize.ts: normal with variance gain / fanIn, in the order of the layout."""
    random = np.random.default_rng(seed)
    values = [random.normal(0, math.sqrt(p['gain'] / p['fanIn']), p['size']) for p in layout['parameters']]
    return np.concatenate(values).astype(np.float32)


def multiply_adds(layout, form):
    """For each pixel of a large image, as `multiplyAdds` in models/definition.ts counts."""
    definition = layout['definition']
    width, carry = definition['width'], definition['carry']
    finest = [p for p in layout['parameters'] if p['name'].startswith('0.') and '.head.' not in p['name']]
    cell = sum(p['size'] for p in finest if p['name'].endswith('.weight') and '.carry.' not in p['name'])
    return round(cell / 3 + width * carry / 3 + width * sum(form.head_sizes().values()) + form.field_multiply_adds())


def depthwise(x, weight, bias):
    """`depthwise` of model.py, by the library's convolution."""
    kernel = weight.permute(2, 0, 1).unsqueeze(1)
    return F.conv2d(x.permute(0, 3, 1, 2), kernel, bias, padding=1, groups=x.shape[3]).permute(0, 2, 3, 1)


def softsign(x):
    return x / (1 + x.abs())


class Flow:
    """The nats of sites under a form of the flow. Sites lie along the last axis: what is summed over units is contiguous."""

    def __init__(self, form, steps=None):
        self.form, self.steps = form, steps or form.steps

    def __call__(self, rows, x, local_mean, spread, field, _definition, _head, constants):
        form = self.form
        sizes = form.head_sizes()
        outputs = dict(zip(sizes, rows.t().contiguous().split(list(sizes.values()))))
        x, local_mean, spread = (values.t().contiguous() for values in (x, local_mean, spread))
        relative = constants.LOG_SCALE_CENTRE + bounded(outputs['logScale'], constants.LOG_SCALE_BOUND)
        scales = (spread.log() + relative).clamp(constants.LOWEST_LOG_SCALE, constants.highestLogScale)
        inverse_scales = torch.exp(-scales).unbind()
        means = (local_mean + outputs['mean'] * spread).clamp(-constants.meanLimit, constants.meanLimit).unbind()
        shears = bounded(outputs['shear'], constants.SHEAR_BOUND).unbind()
        parts = {name: values.chunk(CHANNELS) for name, values in outputs.items() if name not in ('mean', 'logScale', 'shear', 'padding')}
        centres, nats = {}, 0
        for k in map(int, form.order):
            pairs = [(PAIRS[min(k, o), max(k, o)], centre) for o, centre in centres.items()]
            shear = sum((shears[pair] * centre for pair, centre in pairs), torch.zeros_like(means[k]))
            carry = self.carrier(k, parts, pairs, field, constants)
            distance = x[k] - means[k]
            lower, upper = carry(distance * inverse_scales[k] + shear), carry((distance + 1) * inverse_scales[k] + shear)
            weight = torch.softmax(parts['mixLogit'][k], 0)
            middle = bounded(parts['mixMean'][k], constants.MIX_MEAN_BOUND)
            narrow = torch.exp(-bounded(parts['mixLogScale'][k], constants.MIX_LOG_SCALE_BOUND))
            a, b = (lower - middle) * narrow, (upper - middle) * narrow
            # The difference is taken on the side where both sigmoids are small.
            side = torch.where(a > 0, -1.0, 1.0)
            mass = side * (torch.sigmoid(side * b) - torch.sigmoid(side * a))
            nats = nats - torch.log(constants.BASE_SHARE * (weight * mass).sum(0) + constants.FLOOR)
            centres[k] = (distance + 0.5) * inverse_scales[k] + shear
        return nats

    def carrier(self, k, parts, pairs, field, constants):
        """What carries z(0) of coordinate k to z(1)."""
        form = self.form
        if form.field == 'none':
            return lambda z: z
        shift = parts['projection'][k] + field['bias'][k].unsqueeze(1)
        if not form.blind:
            for pair, centre in pairs:
                shift = shift + field['others'][pair].unsqueeze(1) * centre.clamp(-constants.CLAMP, constants.CLAMP)
        units = softsign(shift)
        drift = field['b'][k] @ units + field['bBias'][k]
        rate = field['a'][k] @ units + field['aBias'][k]
        if form.field == 'affine':
            rate = bounded(rate, constants.RATE_BOUND)
            growth = torch.exp(rate)
            near = rate.abs() < SERIES_LIMIT
            safe = torch.where(near, torch.ones_like(rate), rate)
            offset = drift * torch.where(near, 1 + rate * (0.5 + rate / 6), (growth - 1) / safe)
            return lambda z: growth * z + offset
        amplitude = parts['amplitude'][k] if form.amplitudes else None
        return self.integrator(k, shift, rate, drift, amplitude, field, constants)

    def integrator(self, k, shift, rate, drift, amplitude, field, constants):
        """An explicit method whose every step increases in z: 1 + (a - what negative amplitudes may take) / N is at least 1 - CONTRACTION.
        The slopes v_h are positive. A bound on `rate` and on the negative amplitudes holds for N steps, so also for more.
        """
        form = self.form
        contraction = min(constants.RATE_BOUND, CONTRACTION * form.steps / (2 if form.signed else 1))
        rate = bounded(rate, contraction)
        slope = F.softplus(field['slope'][k] - 1)
        if form.signed:
            size = field['size'][k] * 0.1
            down = (slope * (-size).clamp(min=0)).sum()
            size = size * (contraction / down.clamp(min=contraction))
        else:
            size = F.softplus(field['size'][k] - 2)
        slope_column, time_column = slope.unsqueeze(1), field['time'][k].unsqueeze(1)
        if amplitude is not None:
            sizes = size.unsqueeze(1) * torch.exp(bounded(amplitude, AMPLITUDE_BOUND))

        def derivative(z, t):
            units = softsign(torch.addcmul(shift + time_column * t, slope_column, z))
            total = size @ units if amplitude is None else (sizes * units).sum(0)
            return drift + rate * z + total

        def carry(z):
            step = 1 / self.steps
            for n in range(self.steps):
                at = z if form.solver == 'euler' else z + 0.5 * step * derivative(z, n * step)
                z = z + step * derivative(at, (n if form.solver == 'euler' else n + 0.5) * step)
            return z

        return carry


class FormModel(Model):
    """The context network with a form's flow in place of the codec's."""

    def __init__(self, layout, flat, form):
        super().__init__(layout, flat, 'cpu')
        self.depthwise = depthwise
        self.site_nats = Flow(form)


def learning_rate(number, steps):
    """Linear warm-up, and a cosine over the steps from the peak to a hundredth of it."""
    cosine = (1 + math.cos(math.pi * number / steps)) / 2
    return PEAK_RATE * min(1, number / WARM_UP_STEPS) * (FLOOR_RATE + (1 - FLOOR_RATE) * cosine)


def train(model, crops, steps):
    optimizer = Optimizer(model)
    total = 0
    for number in range(1, steps + 1):
        start = (number - 1) * BATCH % (len(crops) - BATCH + 1)
        for value in model.parameters.values():
            value.grad.zero_()
        nats = model.loss(tensor(crops[start : start + BATCH]))
        nats.backward()
        optimizer.prepare(number, learning_rate(number, steps))
        optimizer.step()
        total += nats.item()
        if number % REPORT_STEPS == 0:
            print(f'{number}: {total / REPORT_STEPS / math.log(2):.4f} bits per sample', file=sys.stderr, flush=True)
            total = 0
    for name, value in model.parameters.items():
        value.data.copy_(optimizer.average[name])


def tensor(crops):
    return torch.from_numpy(crops.astype(np.float32))


@torch.no_grad()
def bits(model, crops, batch):
    """Mean bits per sample."""
    parts = [crops[i : i + batch] for i in range(0, len(crops), batch)]
    return sum(model.loss(tensor(part)).item() * len(part) for part in parts) / len(crops) / math.log(2)


def middle(file, side):
    image = np.asarray(Image.open(file).convert('RGB'))
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    return image[top : top + side, left : left + side]


def draw(train, valid, kodak, work):
    """Writes the crops as the flow codes them."""
    crops = Crops(train, 'cpu', DRAWING_SEED, SIDE)
    parts = [crops.draw(DRAWN_TOGETHER, SIDE, False, True).numpy() for _ in range(DRAWN // DRAWN_TOGETHER)]
    np.save(f'{work}/train.npy', np.concatenate(parts).astype(np.int16))
    for (name, side), folder in zip(SIDES.items(), (valid, kodak)):
        squares = np.stack([middle(file, side) for file in sorted(glob.glob(f'{folder}/*.png'))])
        np.save(f'{work}/{name}.npy', colour(tensor(squares)).numpy().astype(np.int16))


def run(layout_file, work, steps, seed, *options):
    form = Form.parse(options)
    steps, seed = int(steps), int(seed)
    with open(layout_file) as file:
        layout = layout_of(json.load(file), form)
    weights = first_weights(layout, seed)
    model = FormModel(layout, weights, form)
    crops = {name: np.load(f'{work}/{name}.npy', mmap_mode='r') for name in ('train', 'valid', 'kodak')}
    began, processor_began = time.time(), time.process_time()
    train(model, crops['train'], steps)
    result = {'form': asdict(form), 'seed': seed, 'trainingSteps': steps, 'seconds': round(time.time() - began)}
    result |= {'processorSeconds': round(time.process_time() - processor_began)}
    result |= {'multiplyAdds': multiply_adds(layout, form), 'parameters': len(weights)}
    result |= {'valid': bits(model, crops['valid'], 4), 'kodak': bits(model, crops['kodak'], 1)}
    if form.field == 'nonlinear':
        # The same field by a finer method, nothing retrained.
        model.site_nats = Flow(form, REFINEMENT * form.steps)
        result |= {'kodakRefined': bits(model, crops['kodak'], 1)}
    print(json.dumps(result), flush=True)


if __name__ == '__main__':
    torch.set_num_threads(1)
    action, *arguments = sys.argv[1:]
    {'draw': draw, 'run': run}[action](*arguments)
