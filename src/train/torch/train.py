"""Trains a model on a GPU, see README.md: python3 train.py LAYOUT.json DATA SECONDS OUT [BATCH] [RATE]"""
import glob, json, math, os, sys, time
from multiprocessing import Pool
import numpy as np, torch
import torch.nn.functional as F
import model as M

def read(job):
    path, seed = job
    from PIL import Image
    im = Image.open(path).convert('RGB'); out = [np.asarray(im)]
    s = 0.5 + 0.5 * np.random.default_rng(seed).random()
    w, h = round(im.width * s), round(im.height * s)
    if min(w, h) >= 64: out.append(np.asarray(im.resize((w, h), Image.LANCZOS)))
    return [a for a in out if min(a.shape[:2]) >= 64]

class Data:
    def __init__(self, folder, dev, seed):
        files = sorted(glob.glob(folder + '/**/*.webp', recursive=True) + glob.glob(folder + '/**/*.png', recursive=True))
        with Pool(8) as pool: sets = pool.map(read, [(f, i) for i, f in enumerate(files)], chunksize=8)
        full = [s[0] for s in sets if s]; small = [s[1] for s in sets if len(s) > 1]
        self.n = len(full); self.total = len(full) + len(small); ims = full + small
        self.off = torch.tensor(np.cumsum([0] + [i.shape[0] * i.shape[1] for i in ims])[:-1], device=dev)
        self.h = torch.tensor([i.shape[0] for i in ims], device=dev); self.w = torch.tensor([i.shape[1] for i in ims], device=dev)
        self.px = torch.from_numpy(np.concatenate([i.reshape(-1, 3) for i in ims])).to(dev)
        self.g = torch.Generator(dev); self.g.manual_seed(seed); self.dev = dev
    def u(self, *s): return torch.rand(*s, device=self.dev, generator=self.g)
    def crops(self, B, side, gray):
        u, v1 = self.u, lambda p: self.u(B, 1, 1, 1) < p
        sc = u(B) < 0.3
        i = torch.where(sc, self.n + (u(B) * (self.total - self.n)).long(), (u(B) * self.n).long())
        x0, y0 = (u(B) * (self.w[i] - side + 1)).long(), (u(B) * (self.h[i] - side + 1)).long()
        r = torch.arange(side, device=self.dev)
        at = self.off[i][:, None, None] + (y0[:, None, None] + r[:, None]) * self.w[i][:, None, None] + x0[:, None, None] + r
        x = self.px[at].float()
        x = torch.where(v1(.5), x.flip(1), x); x = torch.where(v1(.5), x.flip(2), x); x = torch.where(v1(.5), x.transpose(1, 2), x)
        if gray: x = (x @ torch.tensor([.299, .587, .114], device=self.dev)).round().unsqueeze(3)
        d = x.shape[3]
        n4 = lambda t: t.permute(0, 3, 1, 2)
        k3 = torch.tensor([1., 2., 1.], device=self.dev); k3 = (k3[:, None] * k3 / 16).expand(d, 1, 3, 3)
        blur = lambda t: F.conv2d(F.pad(n4(t), (1, 1, 1, 1), mode='replicate'), k3, groups=d).permute(0, 2, 3, 1)
        if d == 3:
            # Casts, saturation and contrast.
            y = x.mean(3, keepdim=True)
            z = (y + (x - y) * (1.6 * u(B, 1, 1, 1))) * (0.85 + 0.3 * u(B, 1, 1, 3)) + 16 * (u(B, 1, 1, 1) - .5)
            x = torch.where(v1(.15), z, x)
            # A Bayer pattern, interpolated along lines.
            r2 = torch.arange(side, device=self.dev) % 2
            R = ((r2[:, None] == 0) & (r2 == 0)).float(); Bm = ((r2[:, None] == 1) & (r2 == 1)).float(); G = 1 - R - Bm
            m = torch.stack([R, G, Bm], 2)
            full = F.conv2d(F.pad(n4(x * m), (1, 1, 1, 1), mode='reflect'), k3, groups=d).permute(0, 2, 3, 1)
            wt = F.conv2d(F.pad(n4(m[None]), (1, 1, 1, 1), mode='reflect'), k3, groups=d).permute(0, 2, 3, 1)
            x = torch.where(v1(.04), torch.where(m > 0, x, full / wt), x)
        x = torch.where(v1(.12), x + 1.2 * u(B, 1, 1, 1) * (x - blur(x)), x)
        nz = lambda c: torch.randn(B, side, side, c, device=self.dev, generator=self.g)
        st = -1.5 * torch.log(u(B, 1, 1, 1) + 1e-7); sh = u(B, 1, 1, 1)
        noise = st * (sh.sqrt() * nz(1) + (1 - sh).sqrt() * nz(d))
        shot = (x.clamp(min=0) / 128).sqrt()
        noise = torch.where(v1(.25), noise * shot, noise)
        noise = torch.where(v1(.25), 2 * blur(noise), noise)
        x = torch.where(v1(.35), x + noise, x).round().clamp(0, 255)
        if d == 3:
            step = 1 + 1.5 * u(B, 1, 1, 1); lum = torch.tensor([.299, .587, .114], device=self.dev)
            y = (x * lum).sum(3, keepdim=True); c = torch.stack([x[..., 0], x[..., 2]], 3) - y
            e = c[:, ::2, ::2]
            nx = torch.cat([e[:, :, 1:], e[:, :, -1:]], 2); e = torch.stack([e, (e + nx) / 2], 3).flatten(2, 3)
            ny = torch.cat([e[:, 1:], e[:, -1:]], 1); e = torch.stack([e, (e + ny) / 2], 2).flatten(1, 2)
            e = step * (e / step).round()
            rr, bb = y + e[..., :1], y + e[..., 1:]
            half = torch.cat([rr, y - (.299 * e[..., :1] + .114 * e[..., 1:]) / .587, bb], 3).round().clamp(0, 255)
            x = torch.where(v1(.22), half, x)
        return colour(x) if d == 3 else x

def colour(x):
    r, g, b = x.unbind(3)
    co = r - b; t = b + torch.floor(co / 2); cg = g - t
    return torch.stack([t + torch.floor(cg / 2), co, cg], 3)

class Optimizer:
    def __init__(self, model):
        self.p = model.p; roles = {q['name']: q['role'] for q in model.layout}
        z = lambda n: torch.zeros_like(self.p[n])
        self.adam = [n for n in self.p if roles[n] != 'hidden']; self.first = {n: z(n) for n in self.p}
        self.second = {n: z(n) for n in self.adam}
        self.avg = {n: self.p[n].detach().clone() for n in self.p}
        groups = {}
        for n in self.p:
            if roles[n] == 'hidden': groups.setdefault(tuple(self.p[n].shape), []).append(n)
        self.groups = list(groups.values())
        dev = next(iter(self.p.values())).device
        self.rate = torch.zeros((), device=dev); self.c1 = torch.ones((), device=dev); self.c2 = torch.ones((), device=dev); self.keep = torch.zeros((), device=dev)
    @torch.no_grad()
    def step(self):
        g = {n: q.grad for n, q in self.p.items()}
        norm = torch.stack(torch._foreach_norm(list(g.values()))).norm()
        f = torch.clamp(1 / (norm + 1e-12), max=1)
        a = [g[n] for n in self.adam]; torch._foreach_mul_(a, f)
        m = [self.first[n] for n in self.adam]; v = [self.second[n] for n in self.adam]
        torch._foreach_mul_(m, .9); torch._foreach_add_(m, a, alpha=.1); torch._foreach_mul_(v, .99); torch._foreach_addcmul_(v, a, a, 0.01)
        den = torch._foreach_sqrt(torch._foreach_mul(v, self.c2)); torch._foreach_add_(den, 1e-8)
        up = torch._foreach_div(torch._foreach_mul(m, self.rate * self.c1), den)
        torch._foreach_sub_([self.p[n] for n in self.adam], up)
        for names in self.groups:
            G = torch.stack([g[n] for n in names]) * f
            B = torch.stack([self.first[n] for n in names])
            B = .95 * B + .05 * G; X = .95 * B + .05 * G
            for n, b in zip(names, B): self.first[n].copy_(b)
            rows, cols = X.shape[1:]; t = rows < cols
            if t: X = X.transpose(1, 2)
            X = X / (X.norm(dim=(1, 2), keepdim=True) + 1e-12)
            for _ in range(5):
                A = X.transpose(1, 2) @ X
                X = 3.4445 * X + X @ (-4.775 * A + 2.0315 * A @ A)
            if t: X = X.transpose(1, 2)
            for n, s in zip(names, X): self.p[n].sub_(s * (self.rate * 0.1 * math.sqrt(max(rows, cols))))
        for n in self.p: self.avg[n].lerp_(self.p[n], 1 - self.keep)

def main(layout, folder, seconds, out, batch=32, rate=6e-3, side=64):
    name = os.path.basename(layout).removesuffix('.json')
    began = time.time(); dev = 'cuda' if torch.cuda.is_available() else 'cpu'
    torch.set_float32_matmul_precision('high')
    L = json.load(open(layout))
    m = M.Model(L, np.fromfile(layout.removesuffix('.json') + '.f32', np.float32), dev)
    gray = L['definition']['channels'] == 1; c = 1 if gray else 3
    data = Data(folder, dev, 1); print(name, data.n, 'images', round(time.time() - began), 's', flush=True)
    opt = Optimizer(m)
    if dev == 'cuda':
        m.nats = torch.compile(M.site_nats); m.depthwise = torch.compile(M.depthwise, dynamic=True); m.features = torch.compile(M.features)
    x = data.crops(batch, side, gray).contiguous(); acc = torch.zeros((), device=dev)
    def step():
        for q in m.p.values():
            if q.grad is not None: q.grad.zero_()
        l = m.loss(x); l.backward(); acc.add_(l.detach()); opt.step()
    if dev == 'cuda':
        s = torch.cuda.Stream(); s.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(s):
            for _ in range(3): step()
        torch.cuda.current_stream().wait_stream(s); torch.cuda.synchronize()
        print(name, 'compiled', round(time.time() - began), 's', flush=True)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph): step()
        run = graph.replay
    else: run = step
    acc.zero_(); n = 0; shown = time.time(); start = shown; last = 0
    while True:
        progress = (time.time() - start) / (seconds - (start - began))
        if progress >= 1: break
        pool = data.crops(batch * 16, side, gray)
        for j in range(16):
            n += 1
            r = rate * min(1, n / 300) * (0.01 + .99 * (1 + math.cos(math.pi * min(1, progress))) / 2)
            opt.rate.fill_(r); opt.c1.fill_(1 / (1 - .9 ** n)); opt.c2.fill_(1 / (1 - .99 ** n)); opt.keep.fill_(min(.9995, n / (n + 10)))
            x.copy_(pool[j * batch:(j + 1) * batch]); run()
        if dev == 'cuda': torch.cuda.synchronize()
        if time.time() - shown > 20:
            k = n - last; dt = time.time() - shown
            print(f'{name} {n} {float(acc) / k / math.log(2):.4f} {k / dt:.0f} steps/s {k * batch * side ** 2 / dt / 1e6:.1f} Mpix/s {time.time() - began:.0f} s', flush=True)
            acc.zero_(); last = n; shown = time.time()
    os.makedirs(out, exist_ok=True)
    m.flat(opt.avg).tofile(f'{out}/{name}.f32')
    facts = dict(name=name, steps=n, batch=batch, side=side, pixels=n * batch * side ** 2, rate=rate, seconds=round(time.time() - began), images=data.n)
    json.dump(facts, open(f'{out}/{name}.facts.json', 'w')); print(facts, flush=True)

if __name__ == '__main__':
    a = sys.argv; main(a[1], a[2], float(a[3]), a[4], int(a[5]) if len(a) > 5 else 32, float(a[6]) if len(a) > 6 else 6e-3)
