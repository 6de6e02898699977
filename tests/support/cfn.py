"""CloudFormation templates for tests: read with functions in their long form, and worked out for given parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
HERE = {
    "AWS::Partition": "aws",
    "AWS::Region": "eu-west-1",
    "AWS::AccountId": "123456789012",
    "AWS::StackName": "setpoint",
    "AWS::URLSuffix": "amazonaws.com",
}
NO_VALUE = object()


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms."""


def _function(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.SequenceNode):
        value: Any = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    else:
        value = loader.construct_scalar(node)  # type: ignore[arg-type]
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _function)


@cache
def template(name: str) -> dict[str, Any]:
    """The template at this path from the root of the repository."""
    read: dict[str, Any] = yaml.load((ROOT / name).read_text(), _Loader)  # noqa: S506 (a SafeLoader with tags)
    return read


class Stack:
    """A template worked out for parameters. A `Ref` to a resource is its logical id, an attribute `Id.Attribute`."""

    def __init__(self, source: Mapping[str, Any], **parameters: str) -> None:
        declared = source["Parameters"]
        assert parameters.keys() <= declared.keys()
        self._source = source
        self._values: dict[str, Any] = dict(HERE)
        for name, one in declared.items():
            value = str(parameters.get(name, one.get("Default", f"<{name}>")))
            self._values[name] = value.split(",") if one["Type"] == "CommaDelimitedList" else value
        resources = {
            name: one
            for name, one in source["Resources"].items()
            if "Condition" not in one or self.holds(one["Condition"])
        }
        self.resources: dict[str, dict[str, Any]] = {name: self.worked_out(one) for name, one in resources.items()}

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """The properties of all resources of one type, by logical id."""
        return {name: one.get("Properties", {}) for name, one in self.resources.items() if one["Type"] == kind}

    def holds(self, condition: str) -> bool:
        return bool(self.worked_out(self._source["Conditions"][condition]))

    def worked_out(self, node: Any) -> Any:
        """`node` with every function replaced by its value."""
        if isinstance(node, list):
            return [value for one in node if (value := self.worked_out(one)) is not NO_VALUE]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            ((name, given),) = node.items()
            if name == "Ref":
                return NO_VALUE if given == "AWS::NoValue" else self._values.get(given, given)
            if name == "Condition" and isinstance(given, str):
                return self.holds(given)
            if name.startswith("Fn::"):
                return self._function(name.removeprefix("Fn::"), given)
        worked = {key: self.worked_out(value) for key, value in node.items()}
        return {key: value for key, value in worked.items() if value is not NO_VALUE}

    def _function(self, name: str, given: Any) -> Any:
        if name == "If":
            return self.worked_out(given[1] if self.holds(given[0]) else given[2])
        if name == "Sub":
            text, extra = (given, {}) if isinstance(given, str) else given
            known = {key: self.worked_out(value) for key, value in extra.items()}
            return re.sub(r"\$\{([^!}]+)\}", lambda found: str(self._named(found[1], known)), text)
        if name == "GetAtt":
            return ".".join(given)
        value = self.worked_out(given)
        match name:
            case "Join":
                return value[0].join(value[1])
            case "Split":
                return value[1].split(value[0])
            case "Equals":
                return value[0] == value[1]
            case "Not":
                return not value[0]
            case "And":
                return all(value)
            case "Or":
                return any(value)
            case _:
                raise AssertionError(f"Fn::{name} is not worked out here")

    def _named(self, name: str, known: Mapping[str, Any]) -> Any:
        value = known.get(name, self._values.get(name, name))
        return ",".join(value) if isinstance(value, list) else value


def statements(policy: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The statements of a policy document."""
    listed = policy["Statement"]
    return listed if isinstance(listed, list) else [listed]


def listed(value: Any) -> list[Any]:
    """What may stand alone or in a list, as a list."""
    return value if isinstance(value, list) else [value]


class _Dumper(yaml.SafeDumper):
    """Indents lists within mappings, as the templates do."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def as_yaml(value: Any) -> str:
    """A statement as it is to stand in a template, functions in their short form."""
    return yaml.dump(_tagged(value), Dumper=_Dumper, sort_keys=False, width=1000)


class _Tagged:
    def __init__(self, tag: str, value: Any) -> None:
        self.tag, self.value = tag, value


def _tagged(value: Any) -> Any:
    if isinstance(value, list):
        return [_tagged(one) for one in value]
    if isinstance(value, dict):
        if len(value) == 1:
            ((name, given),) = value.items()
            if name == "Ref" or name.startswith("Fn::"):
                return _Tagged("!" + name.removeprefix("Fn::"), _tagged(given))
        return {key: _tagged(one) for key, one in value.items()}
    return value


def _represent(dumper: _Dumper, one: _Tagged) -> yaml.Node:
    if isinstance(one.value, list):
        return dumper.represent_sequence(one.tag, one.value, flow_style=True)
    return dumper.represent_scalar(one.tag, one.value)


_Dumper.add_representer(_Tagged, _represent)
