"""Cuts botocore's data to the services and operations that the functions call.

With the stock data most of a cold start is reading 4 MB of EC2's model, of which 40 of 750 operations are used. The
pruned data is the same for those (`tests/artefact/test_pruned.py` compares it). A call that is missing in `calls()`
would be an AttributeError, so the permissions come from the same list.
"""

from __future__ import annotations

import json
import re
import shutil
import ssl
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import DataNotFoundError
from botocore.loaders import Loader

Calls = Mapping[str, frozenset[str]]
"""Operations by botocore's name of their service."""

_ITS_OWN: Calls = {"s3": frozenset({"CreateSession", "HeadBucket"})}
"""What botocore itself calls: to find a bucket in another region, and for a session of a directory bucket."""

_ROOTS = re.compile(r"(Amazon|Starfield Services|DigiCert Global) Root .*")
"""The roots of the certificates of AWS's endpoints: Amazon Trust Services' five, one of them Starfield's
(https://www.amazontrust.com/repository), and DigiCert's, which AWS used before and does not rule out for every endpoint
of every partition. If AWS used another one, calls would fail safely; the artefact also has the whole bundle, for
AWS_CA_BUNDLE=/var/task/botocore/cacert.whole.pem in the function's environment.
"""


def prune(target: Path, calls: Calls) -> None:
    """Cuts the data of botocore and boto3 in the folder `target`; raises SystemExit for an unknown operation."""
    wanted = {name: calls[name] | _ITS_OWN.get(name, frozenset()) for name in sorted(calls)}
    data = target / "botocore" / "data"
    stock = data.with_name("stock")
    data.rename(stock)
    loader = Loader(extra_search_paths=[str(stock)], include_default_search_paths=False)
    for file in ("_retry.json", "partitions.json", "sdk-default-configuration.json"):
        data.mkdir(exist_ok=True)
        shutil.copyfile(stock / file, data / file)
    _write(data / "endpoints.json", endpoints(loader.load_data("endpoints"), wanted))
    for service, operations in wanted.items():
        _service(loader, service, operations, data)
    shutil.rmtree(stock)
    for unused in ("data", "examples"):  # of boto3's resource interface
        shutil.rmtree(target / "boto3" / unused, ignore_errors=True)
    bundle = target / "botocore" / "cacert.pem"
    shutil.copyfile(bundle, bundle.with_name("cacert.whole.pem"))
    bundle.write_text("\n".join(roots(bundle.read_text("utf-8"))) + "\n", "utf-8")


def _service(loader: Loader, service: str, operations: frozenset[str], data: Path) -> None:
    version = loader.determine_latest_version(service, "service-2")
    folder = data / service / version
    folder.mkdir(parents=True)
    whole = loader.load_service_model(service, "service-2", version)  # includes botocore's additions
    absent = operations - set(whole["operations"])
    if absent:
        raise SystemExit(f"{service} has no {', '.join(sorted(absent))} in this botocore")
    _write(folder / "service-2.json", model(whole, operations))
    rules = Path(loader.load_data_with_path(f"{service}/{version}/endpoint-rule-set-1")[1] + ".json.gz")
    shutil.copyfile(rules, folder / rules.name)
    for kind, part in (("paginators-1", "pagination"), ("waiters-2", "waiters")):
        try:
            stock = loader.load_service_model(service, kind, version)
        except DataNotFoundError:
            continue
        kept = {name: one for name, one in stock[part].items() if one.get("operation", name) in operations}
        if kept:
            _write(folder / f"{kind}.json", {**stock, part: kept})


def model(whole: Mapping[str, Any], operations: Iterable[str]) -> dict[str, Any]:
    """The model of a service with only these operations and the shapes they use, without documentation.

    All error shapes stay, because AWS answers with errors that an operation's model does not name.
    """
    kept = {name: one for name, one in whole["operations"].items() if name in set(operations)}
    shapes = whole["shapes"]
    waiting = [one["shape"] for operation in kept.values() for one in _named(operation)]
    waiting += [name for name, shape in shapes.items() if shape.get("exception")]
    reached: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += [one["shape"] for one in _parts(shapes[name])]
    return {
        **_bare(whole),
        "operations": {name: _undocumented(one) for name, one in kept.items()},
        "shapes": {name: _undocumented(one) for name, one in shapes.items() if name in reached},
    }


def _named(operation: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from (operation[part] for part in ("input", "output") if part in operation)
    yield from operation.get("errors", ())


def _parts(shape: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from shape.get("members", {}).values()
    yield from (shape[part] for part in ("member", "key", "value") if part in shape)


def _bare(one: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in one.items() if key != "documentation"}


def _undocumented(one: Mapping[str, Any]) -> dict[str, Any]:
    """An operation or a shape without documentation; a member named `documentation` stays."""
    bare = _bare(one)
    for part in ("input", "output", "member", "key", "value"):
        if part in bare:
            bare[part] = _bare(bare[part])
    if "errors" in bare:
        bare["errors"] = [_bare(error) for error in bare["errors"]]
    if "members" in bare:
        bare["members"] = {name: _bare(member) for name, member in bare["members"].items()}
    return bare


def endpoints(whole: Mapping[str, Any], services: Iterable[str]) -> dict[str, Any]:
    """The endpoints of these services; all partitions and regions stay, because they cost little."""
    wanted = set(services)
    partitions = [
        {**partition, "services": {name: one for name, one in partition["services"].items() if name in wanted}}
        for partition in whole["partitions"]
    ]
    return {**whole, "partitions": partitions}


def roots(bundle: str) -> list[str]:
    """The certificates of the bundle that match `_ROOTS`, in PEM.

    urllib3 reads the whole bundle for every connection, and a cold start opens nine.
    """
    blocks = re.findall(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", bundle, re.DOTALL)
    kept = {block: name for block in blocks if _ROOTS.fullmatch(name := _name(block))}
    missing = [
        who for who in ("Amazon", "Starfield", "DigiCert") if not any(one.startswith(who) for one in kept.values())
    ]
    if missing:
        raise SystemExit(f"botocore's cacert.pem has no root of {', '.join(missing)}")
    return list(kept)


def _name(block: str) -> str:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=block)
    certificates: list[Any] = list(context.get_ca_certs())
    subject: dict[str, str] = dict(pair for (pair, *_) in certificates[0]["subject"])
    return subject.get("commonName") or subject.get("organizationName", "")


def _write(file: Path, content: Any) -> None:
    file.write_text(json.dumps(content, separators=(",", ":"), ensure_ascii=False), "utf-8")
