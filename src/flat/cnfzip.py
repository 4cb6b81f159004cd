"""Decodes .cnfz files in Python, by the flat decoder and wasmtime (pip install wasmtime). docs/embedding.md tells of its exports.

    python3 cnfzip.py photo.cnfz photo.ppm --module cnfzip.wasm --model default.cnfm [--level 1] [--region X Y WIDTH HEIGHT]
"""

import argparse
from pathlib import Path

import wasmtime


class CnfzipError(Exception):
    """The decoder's refusal: what errorText says; `code` is errorCode."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


class Decoder:
    """One instance of cnfzip.wasm, with the models that it was given."""

    def __init__(self, module, max_memory=0):
        """`module`: the bytes of cnfzip.wasm; `max_memory`: bytes that it may take in all, 0 for no limit."""
        self._store = wasmtime.Store()
        instance = wasmtime.Instance(self._store, wasmtime.Module(self._store.engine, module), [])
        self._exports = instance.exports(self._store)
        self._call("limitMemory", max_memory)

    def _call(self, name, *numbers):
        result = self._exports[name](self._store, *numbers)
        # WebAssembly's integers have no sign of their own; addresses are without one.
        return result & 0xFFFFFFFF if isinstance(result, int) else result

    def _check(self, result):
        if result:
            return result
        text = self._bytes(self._call("errorText"), self._call("errorBytes"))
        raise CnfzipError(self._call("errorCode"), text.decode("ascii"))

    def _bytes(self, address, length):
        return bytes(self._exports["memory"].read(self._store, address, address + length))

    def _give(self, data):
        room = self._check(self._call("room", len(data)))
        self._exports["memory"].write(self._store, data, room)

    def add_model(self, data):
        """`data`: the bytes of a .cnfm file."""
        self._give(data)
        self._check(self._call("addModel"))

    def open(self, data):
        """`data`: the bytes of a .cnfz file, or the first of them. Returns (width, height, channels, maxval)."""
        self._give(data)
        self._check(self._call("open"))
        return tuple(self._call(name) for name in ("width", "height", "channels", "maxval"))

    def metadata(self):
        """The chunks of a PNG that stand beside the samples of the open file: (type, bytes) of each."""
        return [
            (
                self._bytes(self._call("pieceType", i), 4).decode("ascii"),
                self._bytes(self._call("piece", i), self._call("pieceBytes", i)),
            )
            for i in range(self._call("pieceCount"))
        ]

    def decode(self, level=0, region=None):
        """Rows and columns of a region (x, y, width, height) that are multiples of 2^level. Returns (width, height, samples):
        samples row by row, channels of a pixel side by side, of one byte each, or of two, the lower first, where maxval is above 255."""
        region = region or (0, 0, self._call("width"), self._call("height"))
        self._check(self._call("decode", level, *region))
        samples = self._bytes(self._call("samples"), self._call("samplesBytes"))
        return self._call("shownWidth"), self._call("shownHeight"), samples


def pnm(width, height, channels, maxval, samples):
    """The samples as a file of Netpbm: PGM, PPM, or PAM with alpha."""
    if maxval > 255:
        swapped = bytearray(len(samples))
        swapped[0::2], swapped[1::2] = samples[1::2], samples[0::2]
        samples = bytes(swapped)
    if channels % 2 == 1:
        return b"%s\n%d %d\n%d\n" % (b"P5" if channels == 1 else b"P6", width, height, maxval) + samples
    kind = b"GRAYSCALE_ALPHA" if channels == 2 else b"RGB_ALPHA"
    head = b"P7\nWIDTH %d\nHEIGHT %d\nDEPTH %d\nMAXVAL %d\nTUPLTYPE %s\nENDHDR\n"
    return head % (width, height, channels, maxval, kind) + samples


def main():
    parser = argparse.ArgumentParser(description="Decodes a .cnfz file to a file of Netpbm.")
    parser.add_argument("file", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--module", type=Path, default=Path("cnfzip.wasm"))
    parser.add_argument("--model", type=Path, action="append", default=[])
    parser.add_argument("--level", type=int, default=0)
    parser.add_argument("--region", type=int, nargs=4)
    options = parser.parse_args()
    try:
        decoder = Decoder(options.module.read_bytes())
        for model in options.model:
            decoder.add_model(model.read_bytes())
        _, _, channels, maxval = decoder.open(options.file.read_bytes())
        width, height, samples = decoder.decode(options.level, options.region)
    except CnfzipError as error:
        parser.exit(1, f"{options.file}: {error}\n")
    options.target.write_bytes(pnm(width, height, channels, maxval, samples))


if __name__ == "__main__":
    main()
