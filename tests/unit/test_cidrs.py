"""What is a canonical CIDR: the short way for IPv4 says what `ip_network` says, of any text whatever."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network, ip_network
from random import Random

import pytest

from desired_state.fields import cidr_problem, network

_ODD = (
    *("", "/", "...", ".../", "10.0.0.0", "10.0.0.0/", "/8", "10.0.0.0/8/8", "10.0.0.0//8", "10.0.0/8", "10.0.0.0.0/8"),
    *("010.0.0.0/8", "10.00.0.0/8", "10.0.0.0/08", "10.0.0.0/+8", "10.0.0.0/-0", "10.0.0.0/8.0", "10.0.0.0/1_0"),
    *("10.0.0.0/255.0.0.0", "10.0.0.0/0.255.255.255", "10.0.0.0/33", "10.0.0.0/256", "256.0.0.0/8", "10.0.0.256/32"),
    *(
        "10.0.0.1/24",
        "10.0.0.0/0",
        "0.0.0.0/0",
        "0.0.0.0/32",
        "255.255.255.255/32",
        "255.255.255.255/31",
        "128.0.0.0/1",
    ),
    *(" 10.0.0.0/8", "10.0.0.0/8 ", "10.0.0.0/8\n", "10. 0.0.0/8", "10.0.0.0 /8", "10.0.0.0/ 8", "10.0.0.0\t/8"),
    *(
        "\u0661\u0660.0.0.0/8",
        "10.0.0.0/\u0668",
        "\uff11\uff10.0.0.0/8",
        "10.0.0.\u00b2/32",
        "10.0.0.0/8\0",
        "\ud800/8",
    ),
    *("0x0a.0.0.0/8", "167772160/8", "10.0.0.0/8%eth0", "10.0.0.0%eth0/8", "1e1.0.0.0/8", "-10.0.0.0/8", "+10.0.0.0/8"),
    *("::/0", "::ffff:10.0.0.0/104", "2001:db8::/32", "2001:DB8::/32", "fe80::%1/64", "security_group/app", "pl-1/8"),
)
_LETTERS = "0123456789./ :\n\t+-_%xe\0\u0661\uff10\u00b2\ud800"


def _odd(seed: str, number: int) -> Iterator[str]:
    """Texts that are CIDRs, have host bits, or have been spoilt by up to three letters."""
    draw = Random(seed)
    for _ in range(number):
        length = draw.randrange(33)
        address = draw.getrandbits(32)
        if draw.random() < 0.8:
            address &= ~((1 << (32 - length)) - 1)
        text = f"{'.'.join(map(str, address.to_bytes(4)))}/{length}"
        for _ in range(draw.choice((0, 1, 1, 1, 2, 3))):
            at = draw.randrange(len(text) + 1)
            text = text[:at] + draw.choice((*_LETTERS, "")) + text[at + draw.randrange(2) :]
        yield text


def _problem(text: str) -> str | None:
    """How a CIDR is refused, by `ipaddress` alone: the hint, in part."""
    try:
        parsed = ip_network(text, strict=False)
    except ValueError:
        return "write an IPv4 or IPv6 network"
    if "%" in text:
        return "write an IPv4 or IPv6 network"
    return None if str(parsed) == text else f'write "{parsed}"'


def _bounds(text: str) -> object:
    """Version, first and last address, or the error's type and words, by `ipaddress` alone."""
    try:
        parsed = ip_network(text)
    except ValueError as error:
        return type(error), str(error)
    version = 4 if isinstance(parsed, IPv4Network) else 6
    return version, int(parsed.network_address), int(parsed.broadcast_address)


def _as_ipaddress(text: str) -> bool:
    problem, expected = cidr_problem(text), _problem(text)
    try:
        told: object = network(text)
    except ValueError as error:
        told = type(error), str(error)
    same = problem is None if expected is None else problem is not None and problem[1].startswith(expected)
    return same and told == _bounds(text)


def test_odd_cidrs_are_what_ipaddress_says() -> None:
    assert [text for text in _ODD if not _as_ipaddress(text)] == []


@pytest.mark.parametrize(
    ("seed", "number"), [("gate", 1_000), pytest.param("long", 100_000, marks=pytest.mark.long)], ids=["gate", "long"]
)
def test_spoilt_cidrs_are_what_ipaddress_says(seed: str, number: int) -> None:
    texts = list(_odd(seed, number))
    assert [text for text in texts if not _as_ipaddress(text)] == []
    assert number / 10 < sum(cidr_problem(text) is None for text in texts) < number / 2  # both answers are tried
