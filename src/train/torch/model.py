"""The context network and the exact length of the conditional flow, as the codec's kernels compute them (codec/README.md)."""

import math
from types import SimpleNamespace

import torch
import torch.nn.functional as F

PASSES = 'DHV'
# Row and column parity of each lattice.
OFFSETS = {'A': (0, 0), 'D': (1, 1), 'H': (0, 1), 'V': (1, 0)}
# Windows that a pass sees: lattice, top left corner relative to the cell, rows of four.
WINDOWS = {
    'D': [('A', -1, -1, 4)],
    'H': [('A', -1, -1, 3), ('D', -2, -1, 4)],
    'V': [('A', 0, -1, 2), ('D', -1, -2, 3), ('H', -1, -2, 4)],
}
# The four known samples nearest to a pass's sites: lattice, row, column.
NEAREST = {
    'D': [('A', 0, 0), ('A', 0, 1), ('A', 1, 0), ('A', 1, 1)],
    'H': [('A', 0, 0), ('A', 0, 1), ('D', -1, 0), ('D', 0, 0)],
    'V': [('A', 0, 0), ('A', 1, 0), ('D', 0, -1), ('D', 0, 0)],
}
RING = 2
# Below this, (exp(a) - 1) / a is taken from its series.
SERIES_LIMIT = 0.02


def bounded(x, bound):
    """x / (1 + |x| / bound)."""
    return x / (1 + x.abs() / bound)


def features(maps, pass_name, rows, columns, constants):
    """Stem inputs of a pass without carried features, and the sites' mean and spread of neighbours: B x rows x columns x _."""

    def cut(lattice, i, j):
        return maps[lattice][:, RING + i : RING + i + rows, RING + j : RING + j + columns]

    mean = sum(cut(*place) for place in NEAREST[pass_name]) * 0.25
    windows = [
        cut(lattice, top + r, left + c)
        for lattice, top, left, count in WINDOWS[pass_name]
        for r in range(count)
        for c in range(4)
    ]
    differences = torch.stack(windows, 3) - mean.unsqueeze(3)
    spread = constants.LEAST_SPREAD + differences.abs().mean(3)
    relative = (differences / spread.unsqueeze(3)).flatten(3)
    return torch.cat([relative, mean * constants.meanGain, spread.log()], 3), mean, spread


def depthwise(x, weight, bias):
    """Filters every channel of B x rows x columns x channels by its own 3 x 3 taps."""
    rows, columns = x.shape[1], x.shape[2]
    padded = F.pad(x, (0, 0, 1, 1, 1, 1))
    out = bias
    for i in range(3):
        for j in range(3):
            out = out + padded[:, i : i + rows, j : j + columns] * weight[i, j]
    return out


def texture(x, levels):
    """What tiles tell of their texture, as the network sees it (codec/flow/texture.ts)."""
    along_rows = (2 * x[:, :, 1:-1] - x[:, :, :-2] - x[:, :, 2:]).abs()
    along_columns = (2 * x[:, 1:-1] - x[:, :-2] - x[:, 2:]).abs()
    # The first that has two neighbours is at position 1, an odd one.
    parts = [along_rows[:, :, 1::2], along_rows[:, :, 0::2], along_columns[:, 1::2], along_columns[:, 0::2]]
    value = torch.stack([torch.floor(8 * p.sum((1, 2)) / (2 * p.shape[1] * p.shape[2])) for p in parts], 2)
    octave = torch.floor(torch.log2(value.clamp(min=1) + 0.25))
    quarter = torch.floor(value / torch.exp2(octave - 2)) - 4
    level = torch.where(value < 4, value, torch.clamp(4 * (octave - 1) + quarter, max=levels - 1))
    return (level / 8 - 2).flatten(1)


def site_nats(rows, x, local_mean, spread, field, definition, head, constants):
    """Nats of each site, sites x channels of samples given the head's raw outputs; samples of 8 bits, so without the escape."""
    channels, logistics, hidden = definition['channels'], definition['mixtures'], definition['hidden']

    def part(start, k, size):
        return rows[:, head[start] + k * size : head[start] + (k + 1) * size]

    centres, nats = [], 0
    for k in range(channels):
        limit = constants.meanLimit
        mean = (local_mean[:, k] + rows[:, k] * spread[:, k]).clamp(-limit, limit)
        relative = constants.LOG_SCALE_CENTRE + bounded(rows[:, head['logScale'] + k], constants.LOG_SCALE_BOUND)
        log_scale = (spread[:, k].log() + relative).clamp(constants.LOWEST_LOG_SCALE, constants.highestLogScale)
        inverse_scale = torch.exp(-log_scale)
        # The field: an MLP of the context and of the coordinates before.
        shear = torch.zeros_like(mean)
        units = part('projection', k, hidden) + field['bias'][k]
        for o in range(k):
            pair = k * (k - 1) // 2 + o
            shear = shear + bounded(rows[:, head['shear'] + pair], constants.SHEAR_BOUND) * centres[o]
            units = units + centres[o].clamp(-constants.CLAMP, constants.CLAMP).unsqueeze(1) * field['others'][pair]
        units = bounded(units, 1.0)
        rate = bounded((units * field['a'][k]).sum(1) + field['aBias'][k], constants.RATE_BOUND)
        drift = (units * field['b'][k]).sum(1) + field['bBias'][k]
        growth = torch.exp(rate)
        near = rate.abs() < SERIES_LIMIT
        safe = torch.where(near, torch.ones_like(rate), rate)
        phi = torch.where(near, 1 + rate * (0.5 + rate / 6), (torch.exp(safe) - 1) / safe)
        # The bin's edges at time 1, and what the logistics have between them.
        distance = x[:, k] - mean
        lower = growth * inverse_scale * distance + growth * shear + drift * phi
        upper = lower + growth * inverse_scale
        weight = torch.softmax(part('mixLogit', k, logistics), 1)
        middle = bounded(part('mixMean', k, logistics), constants.MIX_MEAN_BOUND)
        narrow = torch.exp(-bounded(part('mixLogScale', k, logistics), constants.MIX_LOG_SCALE_BOUND))
        a, b = (lower.unsqueeze(1) - middle) * narrow, (upper.unsqueeze(1) - middle) * narrow
        # The difference is taken on the side where both sigmoids are small.
        side = torch.where(a > 0, -1.0, 1.0)
        mass = side * (torch.sigmoid(side * b) - torch.sigmoid(side * a))
        nats = nats - torch.log(constants.BASE_SHARE * (weight * mass).sum(1) + constants.FLOOR)
        centres.append((distance + 0.5) * inverse_scale + shear)
    return nats


class Model:
    """Parameters by their names, from a layout that `pack.mjs` wrote and a flat float32 array."""

    def __init__(self, layout, flat, device):
        self.layout = layout
        self.definition = layout['definition']
        self.constants = SimpleNamespace(**layout['constants'])
        flat = torch.as_tensor(flat)
        self.parameters = {
            p['name']: flat[p['offset'] : p['offset'] + p['size']].reshape(p['shape']).clone().to(device).requires_grad_()
            for p in layout['parameters']
        }
        for value in self.parameters.values():
            value.grad = torch.zeros_like(value)
        self.features, self.depthwise, self.site_nats = features, depthwise, site_nats

    def compile(self):
        """Lets PyTorch compile what is not a matrix product."""
        # Each pass, size and model is compiled by itself.
        torch._dynamo.config.cache_size_limit = 64
        self.features = torch.compile(features)
        self.depthwise = torch.compile(depthwise, dynamic=True)
        self.site_nats = torch.compile(site_nats)

    def flat(self, values):
        """Values by the parameters' names as one flat float32 array."""
        return torch.cat([values[p['name']].detach().reshape(-1) for p in self.layout['parameters']]).cpu().numpy()

    def affine(self, x, name):
        return x @ self.parameters[f'{name}.weight'] + self.parameters[f'{name}.bias']

    def loss(self, x):
        """Mean nats a sample of crops, B x side x side x channels after the colour transform, the side a power of two."""
        definition, parameters = self.definition, self.parameters
        carry = definition['carry']
        batch, side, _, channels = x.shape
        told = texture(x, self.layout['textureLevels'])
        state = None
        rows, samples, means, spreads = [], [], [], []
        for level in reversed(range(int(math.log2(side)))):
            image = x[:, :: 2**level, :: 2**level]
            cells = image.shape[1] // 2
            own = min(level, definition['separate'])
            carried = x.new_zeros(batch, cells, cells, carry)
            if state is not None:
                up = self.affine(state, f'{own}.carry').reshape(batch, cells // 2, cells // 2, 2, 2, carry)
                carried = up.permute(0, 1, 3, 2, 4, 5).reshape(batch, cells, cells, carry)
            lattices = {name: image[:, dy::2, dx::2] for name, (dy, dx) in OFFSETS.items()}
            maps = {name: with_ring(lattice) for name, lattice in lattices.items()}
            state = None
            for number, pass_name in enumerate(PASSES):
                name = f'{own}.{pass_name}'
                inputs, mean, spread = self.features(maps, pass_name, cells, cells, self.constants)
                if pass_name == 'D':
                    inputs = torch.cat([inputs, carried], 3)
                embedding = parameters[f'{name}.stem.bias'][min(level, definition['levels'] - 1)]
                bias = embedding + told @ parameters[f'{name}.texture']
                current = inputs @ parameters[f'{name}.stem.weight'] + bias[:, None, None]
                if state is not None:
                    current = current + self.affine(state, f'{name}.state')
                for block in range(definition['blocks'][number]):
                    current = current + self.block(current, f'{name}.block{block}')
                state = current
                rows.append(self.affine(state, f'{name}.head').flatten(0, 2))
                for values, of in ((samples, lattices[pass_name]), (means, mean), (spreads, spread)):
                    values.append(of.reshape(-1, channels))
        field = {name[6:]: value for name, value in parameters.items() if name.startswith('field.')}
        known = [torch.cat(values) for values in (rows, samples, means, spreads)]
        nats = self.site_nats(*known, field, definition, self.layout['head'], self.constants)
        return nats.sum() / x.numel()

    def block(self, x, name):
        weight, bias = self.parameters[f'{name}.depthwise.weight'], self.parameters[f'{name}.depthwise.bias']
        hidden = torch.relu(self.affine(self.depthwise(x, weight, bias), f'{name}.expand'))
        return self.affine(hidden, f'{name}.project')


def with_ring(lattice):
    """A lattice with a ring of cells around it that repeats the nearest."""
    ring = (RING, RING, RING, RING)
    return F.pad(lattice.permute(0, 3, 1, 2), ring, mode='replicate').permute(0, 2, 3, 1).contiguous()
