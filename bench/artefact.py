"""The figures of the artefact: cold start, memory and size, compared with an artefact with stock botocore.

Both are artefacts for this machine, run in isolation as Lambda runs them (`cold.py`), over TLS, each with its own
bundle of certificates plus the replaying server's: reading the bundle is a good part of a cold start.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from statistics import median
from typing import NamedTuple

from artefact.assemble import Recipe, assembled, pack, sizes
from bench.clock import in_turns
from bench.figures import ROOT, Row
from bench.server import replaying


class _Taken(NamedTuple):
    wall: float
    cpu: float
    memory: float


class _Side(NamedTuple):
    """One of the two artefacts, and the certificates it trusts here."""

    folder: Path
    bundle: Path

    def once(self, *words: object, code: str = "") -> _Taken:
        """A fresh process of the artefact and what it took, in seconds and MiB."""
        script = ["-c", code] if code else [str(ROOT / "bench" / "cold.py"), *map(str, words)]
        environment = {"PYTHONPATH": str(self.folder), "AWS_CA_BUNDLE": str(self.bundle)}
        before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        told = subprocess.run(
            [sys.executable, "-S", "-P", *script], env=environment, check=True, capture_output=True, text=True, cwd="/"
        )
        wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
        return _Taken(wall, cpu, float(told.stdout or 0))


def artefact(worlds: Path, scratch: Path) -> Iterator[Row]:
    """All rows. `scratch` is an empty folder."""
    certificate = scratch / "server.pem"
    certificate.write_bytes(_certificate())
    ours, stock = (_side(Recipe(stock=stock), certificate, scratch) for stock in (False, True))
    yield from _sizes(ours.folder, stock.folder, scratch)
    pairs = in_turns(lambda: ours.once("start"), lambda: stock.once(code="import boto3"), 15)
    yield _ratio("start-up in the artefact: the worker, ec2 and rds clients", pairs, "wall", "import boto3", 2.2)
    with replaying(worlds, certificate) as url:
        for size, wall, cpu in ((10, 0.55, 0.45), (500, None, None)):
            asked = (worlds / str(size), f"{url}/{size}")
            pairs = in_turns(
                partial(ours.once, "run", *asked), partial(stock.once, "run-plain", *asked), 11 if wall else 5
            )
            name = f"cold start to the first converged result, {size} groups"
            yield _ratio(f"{name}, wall", pairs, "wall", "stock", wall)
            yield _ratio(f"{name}, cpu", pairs, "cpu", "stock", cpu)
            yield _memory(f"peak memory of that process, {size} groups", pairs, None)
            pairs = in_turns(partial(ours.once, "run", *asked, 5), partial(stock.once, "run-plain", *asked, 5), 3)
            yield _memory(f"  the same, after five runs (n={len(pairs)})", pairs, 80 if size == 10 else 128)


def _memory(name: str, pairs: list[tuple[_Taken, _Taken]], most: float | None) -> Row:
    memory, beside = (median(taken.memory for taken in side) for side in zip(*pairs, strict=True))
    target, good = (f"<= {most} MiB", memory <= most) if most else ("", None)
    return Row(name, f"{memory:.0f} MiB", f"stock: {beside:.0f} MiB", target, good)


def _sizes(ours: Path, stock: Path, scratch: Path) -> Iterator[Row]:
    told = []
    for folder in (ours, stock):
        pack(folder, scratch / f"{folder.name}.zip")
        told.append(sizes(folder, scratch / f"{folder.name}.zip"))
    for name, which, most in (("unzipped", 0, 28), ("zipped", 1, 11)):
        mine, theirs = (one[which] / 1e6 for one in told)
        yield Row(f"artefact, {name}", f"{mine:.1f} MB", f"stock: {theirs:.1f} MB", f"<= {most} MB", mine <= most)


def _side(recipe: Recipe, certificate: Path, scratch: Path) -> _Side:
    folder = assembled(recipe)
    bundle = scratch / f"{folder.name}.pem"
    bundle.write_bytes((folder / "botocore" / "cacert.pem").read_bytes() + certificate.read_bytes())
    return _Side(folder, bundle)


def _ratio(name: str, pairs: list[tuple[_Taken, _Taken]], what: str, beside: str, most: float | None) -> Row:
    measured = [(getattr(ours, what), getattr(plain, what)) for ours, plain in pairs]
    ratio, plain = median(one / other for one, other in measured), median(other for _, other in measured)
    baseline, target = f"{beside}: {plain * 1000:.0f} ms", f"<= {most}x" if most else ""
    return Row(f"{name} (n={len(pairs)})", f"{ratio:.2f}x", baseline, target, ratio <= most if most else None)


def _certificate() -> bytes:
    """A key and a certificate of 127.0.0.1 that signs itself, for this run."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "bench")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    text, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    return made.public_bytes(text) + key.private_bytes(text, serialization.PrivateFormat.PKCS8, plain)
