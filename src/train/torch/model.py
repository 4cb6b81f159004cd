"""The context network and the exact length of the conditional flow, as the kernels of the codec compute them (codec/README.md)."""
import math, torch
import torch.nn.functional as F

PASSES = 'DHV'
WINDOWS = {'D': [('A', -1, -1, 4)], 'H': [('A', -1, -1, 3), ('D', -2, -1, 4)], 'V': [('A', 0, -1, 2), ('D', -1, -2, 3), ('H', -1, -2, 4)]}
NEAREST = {'D': [('A', 0, 0), ('A', 0, 1), ('A', 1, 0), ('A', 1, 1)], 'H': [('A', 0, 0), ('A', 0, 1), ('D', -1, 0), ('D', 0, 0)],
           'V': [('A', 0, 0), ('A', 1, 0), ('D', 0, -1), ('D', 0, 0)]}
OFFSETS = {'A': (0, 0), 'D': (1, 1), 'H': (0, 1), 'V': (1, 0)}
LEAST_SPREAD, MEAN_GAIN, MEAN_LIMIT, HIGHEST = 0.25, 1 / 256, 2048., 4.1
LOG_SCALE_CENTRE, LOG_SCALE_BOUND, LOWEST, SHEAR_BOUND, MIX_MEAN_BOUND, MIX_LS_BOUND = -0.5, 3., -2.7, 4., 12., 3.5
RATE_BOUND, CLAMP = 2.4, 8.
BASE_SHARE, FLOOR = (16777216 - 8192) / 16777216, 1 / 16777216

def bounded(x, b): return x / (1 + x.abs() / b)

def features(maps, p, rows, cols):
    cut = lambda l, i, j: maps[l][:, 2 + i:2 + i + rows, 2 + j:2 + j + cols]
    mean = sum(cut(*n) for n in NEAREST[p]) * 0.25
    w = torch.stack([cut(l, top + r, left + c) for l, top, left, n in WINDOWS[p] for r in range(n) for c in range(4)], 3) - mean.unsqueeze(3)
    spread = LEAST_SPREAD + w.abs().mean(3)
    return torch.cat([(w / spread.unsqueeze(3)).flatten(3), mean * MEAN_GAIN, spread.log()], 3), mean, spread

def depthwise(x, w, b):
    rows, cols = x.shape[1], x.shape[2]
    y = F.pad(x, (0, 0, 1, 1, 1, 1))
    out = b
    for i in range(3):
        for j in range(3):
            out = out + y[:, i:i + rows, j:j + cols] * w[i, j]
    return out

def texture(x):
    B, H, W, d = x.shape
    out = []
    rx = (2 * x[:, :, 1:-1] - x[:, :, :-2] - x[:, :, 2:]).abs()
    ry = (2 * x[:, 1:-1] - x[:, :-2] - x[:, 2:]).abs()
    # Position 1 is the first: odd ones begin at index 0.
    parts = [rx[:, :, 1::2], rx[:, :, 0::2], ry[:, 1::2], ry[:, 0::2]]
    v = torch.stack([torch.floor(8 * p.sum((1, 2)) / (2 * p.shape[1] * p.shape[2])) for p in parts], 2)
    octave = torch.floor(torch.log2(v.clamp(min=1) + 0.25))
    fine = torch.floor(v / torch.exp2(octave - 2)) - 4
    level = torch.where(v < 4, v, torch.clamp(4 * (octave - 1) + fine, max=47))
    return (level / 8 - 2).flatten(1)

def site_nats(rows, x, lm, spread, f, d, K, hid):
    shear0 = 2 * d; ml = shear0 + d * (d - 1) // 2; mm = ml + d * K; ms = mm + d * K; pr = ms + d * K
    centres, total = [], 0
    for k in range(d):
        mean = (lm[:, k] + rows[:, k] * spread[:, k]).clamp(-MEAN_LIMIT, MEAN_LIMIT)
        inv = torch.exp(-(spread[:, k].log() + LOG_SCALE_CENTRE + bounded(rows[:, d + k], LOG_SCALE_BOUND)).clamp(LOWEST, HIGHEST))
        shear = torch.zeros_like(mean)
        u = rows[:, pr + k * hid:pr + (k + 1) * hid] + f['bias'][k]
        for o in range(k):
            i = k * (k - 1) // 2 + o
            shear = shear + bounded(rows[:, shear0 + i], SHEAR_BOUND) * centres[o]
            u = u + centres[o].clamp(-CLAMP, CLAMP).unsqueeze(1) * f['others'][i]
        u = bounded(u, 1.)
        a = bounded((u * f['a'][k]).sum(1) + f['aBias'][k], RATE_BOUND)
        b = (u * f['b'][k]).sum(1) + f['bBias'][k]
        growth = torch.exp(a)
        small = a.abs() < 0.02
        safe = torch.where(small, torch.ones_like(a), a)
        phi = torch.where(small, 1 + a * (0.5 + a / 6), (torch.exp(safe) - 1) / safe)
        dist = x[:, k] - mean
        lower = growth * inv * dist + growth * shear + b * phi
        upper = lower + growth * inv
        w = torch.softmax(rows[:, ml + k * K:ml + (k + 1) * K], 1)
        mu = bounded(rows[:, mm + k * K:mm + (k + 1) * K], MIX_MEAN_BOUND)
        s = torch.exp(-bounded(rows[:, ms + k * K:ms + (k + 1) * K], MIX_LS_BOUND))
        A, Bb = (lower.unsqueeze(1) - mu) * s, (upper.unsqueeze(1) - mu) * s
        sign = torch.where(A > 0, -1., 1.)
        mass = sign * (torch.sigmoid(sign * Bb) - torch.sigmoid(sign * A))
        total = total - torch.log(BASE_SHARE * (w * mass).sum(1) + FLOOR)
        centres.append((dist + 0.5) * inv + shear)
    return total

class Model:
    def __init__(self, layout, flat, device):
        self.d = layout['definition']; self.layout = layout['parameters']
        flat = torch.as_tensor(flat)
        self.p = {q['name']: flat[q['offset']:q['offset'] + q['size']].reshape(q['shape']).clone().to(device).requires_grad_() for q in self.layout}
        # The trainer puts compiled ones in their place.
        self.features, self.depthwise, self.nats = features, depthwise, site_nats
    def flat(self, p=None):
        return torch.cat([(p or self.p)[q['name']].detach().reshape(-1) for q in self.layout]).float().cpu().numpy()
    def loss(self, x):
        """Mean nats a sample of crops x: B x side x side x channels, a power of two, after the colour transform."""
        D, p = self.d, self.p
        d, W, carry = D['channels'], D['width'], D['carry']
        side = x.shape[1]; B = x.shape[0]
        tex = texture(x)
        n = int(math.log2(side))
        state = None; rows_, xs, ms, ss = [], [], [], []
        for l in range(n - 1, -1, -1):
            im = x[:, ::2 ** l, ::2 ** l]; R = im.shape[1] // 2
            s = min(l, D['separate'])
            carried = x.new_zeros(B, R, R, carry)
            if state is not None:
                q = state @ p[f'{s}.carry.weight'] + p[f'{s}.carry.bias']
                carried = q.reshape(B, R // 2, R // 2, 2, 2, carry).permute(0, 1, 3, 2, 4, 5).reshape(B, R, R, carry)
            lat = {k: im[:, dy::2, dx::2] for k, (dy, dx) in OFFSETS.items()}
            maps = {k: F.pad(v.permute(0, 3, 1, 2), (2, 2, 2, 2), mode='replicate').permute(0, 2, 3, 1).contiguous() for k, v in lat.items()}
            state = None
            for P in PASSES:
                nm = f'{s}.{P}.'
                inp, mean, spread = self.features(maps, P, R, R)
                if P == 'D': inp = torch.cat([inp, carried], 3)
                bias = p[nm + 'stem.bias'][min(l, D['levels'] - 1)] + tex @ p[nm + 'texture']
                cur = inp @ p[nm + 'stem.weight'] + bias[:, None, None]
                if state is not None: cur = cur + (state @ p[nm + 'state.weight'] + p[nm + 'state.bias'])
                for b in range(D['blocks'][PASSES.index(P)]):
                    m = nm + f'block{b}.'
                    h = self.depthwise(cur, p[m + 'depthwise.weight'], p[m + 'depthwise.bias'])
                    h = torch.relu(h @ p[m + 'expand.weight'] + p[m + 'expand.bias'])
                    cur = cur + (h @ p[m + 'project.weight'] + p[m + 'project.bias'])
                state = cur
                rows_.append((cur @ p[nm + 'head.weight'] + p[nm + 'head.bias']).flatten(0, 2))
                xs.append(lat[P].reshape(-1, d)); ms.append(mean.reshape(-1, d)); ss.append(spread.reshape(-1, d))
        f = {k: p['field.' + k] for k in ('others', 'a', 'b', 'bias', 'aBias', 'bBias')}
        f['aBias'], f['bBias'] = f['aBias'].reshape(-1), f['bBias'].reshape(-1)
        nats = self.nats(torch.cat(rows_), torch.cat(xs), torch.cat(ms), torch.cat(ss), f, d, D['mixtures'], D['hidden'])
        return nats.sum() / x.numel()
