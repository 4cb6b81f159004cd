"""Crops of photographs, made and augmented on the GPU."""

import functools
import glob
from multiprocessing import Pool

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

# How crops may be changed: as photographs of many origins, or only as the same image in a mirror.
AUGMENTATIONS = {'photographs': True, 'mirror': False}
# Share of the crops that come from images scaled down by a uniform factor from this on.
SCALED_SHARE, LEAST_SCALE = 0.3, 0.5
# Shares of the crops that each kind of augmentation changes.
CAST_SHARE, BAYER_SHARE, SHARPENED_SHARE, NOISE_SHARE, HALF_CHROMA_SHARE = 0.15, 0.04, 0.12, 0.35, 0.22
# Of the noise, the share that grows with the light, and the share that is coarse as film's grain.
SHOT_SHARE, COARSE_SHARE = 0.25, 0.25
NOISE_MEAN = 1.5
LUMA = (0.299, 0.587, 0.114)


def files_below(folder):
    return sorted(glob.glob(f'{folder}/**/*.webp', recursive=True) + glob.glob(f'{folder}/**/*.png', recursive=True))


def read(job):
    """An image, and the same scaled down by a factor that the seed gives; each only if crops of the side fit in."""
    path, seed, side = job
    image = Image.open(path).convert('RGB')
    versions = [np.asarray(image)]
    scale = LEAST_SCALE + (1 - LEAST_SCALE) * np.random.default_rng(seed).random()
    size = round(image.width * scale), round(image.height * scale)
    if min(size) >= side:
        versions.append(np.asarray(image.resize(size, Image.LANCZOS)))
    return [version for version in versions if min(version.shape[:2]) >= side]


def gray_of(x):
    return (x @ torch.tensor(LUMA, device=x.device)).round().unsqueeze(3)


def held_out(folder, device, gray, pixels=2**20):
    """The images below a folder, all of one square size whose side is a power of two, as the flow codes them, in batches."""
    images = [np.asarray(Image.open(file).convert('RGB')) for file in files_below(folder)]
    x = torch.from_numpy(np.stack(images)).to(device).float()
    x = gray_of(x) if gray else colour(x)
    return x.split(max(1, pixels // x.shape[1] ** 2))


def colour(x):
    """YCoCg-R of B x rows x columns x 3 (codec/flow/colour.ts)."""
    red, green, blue = x.unbind(3)
    co = red - blue
    t = blue + torch.floor(co / 2)
    cg = green - t
    return torch.stack([t + torch.floor(cg / 2), co, cg], 3)


def convolve(x, kernel, mode):
    """Each channel of B x rows x columns x channels filtered by a 3 x 3 kernel."""
    channels = x.shape[3]
    padded = F.pad(x.permute(0, 3, 1, 2), (1, 1, 1, 1), mode=mode)
    return F.conv2d(padded, kernel.expand(channels, 1, 3, 3), groups=channels).permute(0, 2, 3, 1)


def doubled(x, axis):
    """Puts between neighbours along an axis their mean; the last is repeated."""
    following = torch.cat([x.narrow(axis, 1, x.shape[axis] - 1), x.narrow(axis, x.shape[axis] - 1, 1)], axis)
    return torch.stack([x, (x + following) / 2], axis + 1).flatten(axis, axis + 1)


class Crops:
    """All images below a folder as one array of pixels on a device, and the random numbers that crops are drawn with."""

    @classmethod
    @functools.cache
    def shared(cls, folder, device, seed, side):
        """One for all trainings that draw crops of a side from a folder."""
        return cls(folder, device, seed, side)

    def __init__(self, folder, device, seed, side):
        with Pool(8) as pool:
            versions = pool.map(read, [(file, i, side) for i, file in enumerate(files_below(folder))], chunksize=8)
        whole = [images[0] for images in versions if images]
        scaled = [images[1] for images in versions if len(images) > 1]
        images = whole + scaled
        self.device = device
        self.whole, self.scaled = len(whole), len(scaled)
        sizes = [image.shape[0] * image.shape[1] for image in images]
        self.first = torch.tensor(np.cumsum([0] + sizes)[:-1], device=device)
        self.heights = torch.tensor([image.shape[0] for image in images], device=device)
        self.widths = torch.tensor([image.shape[1] for image in images], device=device)
        self.pixels = torch.from_numpy(np.concatenate([image.reshape(-1, 3) for image in images])).to(device)
        self.generator = torch.Generator(device)
        self.generator.manual_seed(seed)
        side = torch.tensor([1.0, 2.0, 1.0], device=device)
        self.binomial = side[:, None] * side / 16

    def uniform(self, *shape):
        return torch.rand(*shape, device=self.device, generator=self.generator)

    def normal(self, *shape):
        return torch.randn(*shape, device=self.device, generator=self.generator)

    def draw(self, batch, side, gray, changed):
        """`batch` crops as the flow codes them: batch x side x side x channels, float32 integers; `changed` as photographs are,
        or only mirrored."""
        x = self.cut(batch, side, SCALED_SHARE if changed else 0)
        if not changed:
            x = self.sometimes(0.5, x.flip(2), x)
            return gray_of(x) if gray else colour(x)
        x = self.oriented(x, batch)
        if gray:
            x = gray_of(x)
        else:
            x = self.sometimes(CAST_SHARE, self.cast(x), x)
            x = self.sometimes(BAYER_SHARE, self.demosaiced(x), x)
        x = self.sometimes(SHARPENED_SHARE, self.sharpened(x), x)
        noise = self.noise(x)
        x = self.sometimes(NOISE_SHARE, x + noise, x).round().clamp(0, 255)
        return x if gray else colour(self.sometimes(HALF_CHROMA_SHARE, self.half_chroma(x), x))

    def sometimes(self, share, changed, x):
        """Exchanges a share of the crops for what they were changed to."""
        return torch.where(self.uniform(x.shape[0], 1, 1, 1) < share, changed, x)

    def cut(self, batch, side, scaled_share):
        scaled = self.uniform(batch) < scaled_share
        from_scaled = self.whole + (self.uniform(batch) * self.scaled).long()
        i = torch.where(scaled, from_scaled, (self.uniform(batch) * self.whole).long())
        left = (self.uniform(batch) * (self.widths[i] - side + 1)).long()[:, None, None]
        top = (self.uniform(batch) * (self.heights[i] - side + 1)).long()[:, None, None]
        along = torch.arange(side, device=self.device)
        at = self.first[i][:, None, None] + (top + along[:, None]) * self.widths[i][:, None, None] + left + along
        return self.pixels[at].float()

    def oriented(self, x, batch):
        x = self.sometimes(0.5, x.flip(1), x)
        x = self.sometimes(0.5, x.flip(2), x)
        return self.sometimes(0.5, x.transpose(1, 2), x)

    def cast(self, x):
        """Another saturation, gains of the channels, another brightness."""
        batch = x.shape[0]
        mean = x.mean(3, keepdim=True)
        saturated = mean + (x - mean) * (1.6 * self.uniform(batch, 1, 1, 1))
        return saturated * (0.85 + 0.3 * self.uniform(batch, 1, 1, 3)) + 16 * (self.uniform(batch, 1, 1, 1) - 0.5)

    def demosaiced(self, x):
        """Of each pixel the one channel that a Bayer pattern has there, the others interpolated."""
        odd = torch.arange(x.shape[1], device=self.device) % 2
        red = ((odd[:, None] == 0) & (odd == 0)).float()
        blue = ((odd[:, None] == 1) & (odd == 1)).float()
        pattern = torch.stack([red, 1 - red - blue, blue], 2)
        total = convolve(x * pattern, self.binomial, 'reflect')
        weight = convolve(pattern[None], self.binomial, 'reflect')
        return torch.where(pattern > 0, x, total / weight)

    def sharpened(self, x):
        return x + 1.2 * self.uniform(x.shape[0], 1, 1, 1) * (x - convolve(x, self.binomial, 'replicate'))

    def noise(self, x):
        """Gaussian noise of random strength and correlation between the channels."""
        batch, side, _, channels = x.shape
        strength = -NOISE_MEAN * torch.log(self.uniform(batch, 1, 1, 1) + 1e-7)
        shared = self.uniform(batch, 1, 1, 1)
        common = shared.sqrt() * self.normal(batch, side, side, 1)
        noise = strength * (common + (1 - shared).sqrt() * self.normal(batch, side, side, channels))
        noise = self.sometimes(SHOT_SHARE, noise * (x.clamp(min=0) / 128).sqrt(), noise)
        return self.sometimes(COARSE_SHARE, 2 * convolve(noise, self.binomial, 'replicate'), noise)

    def half_chroma(self, x):
        """R - Y and B - Y at even rows and columns, rounded to random steps, the rest interpolated; Y as it is."""
        step = 1 + 1.5 * self.uniform(x.shape[0], 1, 1, 1)
        luma = (x * torch.tensor(LUMA, device=self.device)).sum(3, keepdim=True)
        chroma = torch.stack([x[..., 0], x[..., 2]], 3) - luma
        chroma = doubled(doubled(chroma[:, ::2, ::2], 2), 1)
        red, blue = (step * (chroma / step).round()).split(1, 3)
        green = (LUMA[0] * red + LUMA[2] * blue) / LUMA[1]
        return torch.cat([luma + red, luma - green, luma + blue], 3).round().clamp(0, 255)
