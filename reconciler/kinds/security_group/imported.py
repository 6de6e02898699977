"""How a security group is written into a new document, and who else keeps it."""

from __future__ import annotations

from typing import Any

from desired_state.network import SecurityGroup
from desired_state.rules import Egress, Ingress, Rules
from reconciler.model import Observed
from reconciler.model.imported import Import
from reconciler.model.read import Item

_KEEPERS = (
    ("aws:cloudformation:stack-name", "CloudFormation"),
    ("kubernetes.io/cluster/", "Kubernetes"),
    ("elbv2.k8s.aws/", "Kubernetes"),
    ("aws:eks:", "EKS"),
    ("aws:elasticmapreduce:", "EMR"),
    ("services.k8s.aws/", "ACK"),
    ("crossplane-", "Crossplane"),
)
"""The tags by which controllers know their groups, as they begin. (Kubernetes cloud provider and AWS Load Balancer
Controller: resource tags; EKS and EMR user guides: tags of the groups that the services make.)
"""


def kept_by(item: Item) -> str:
    keys = [str(tag["Key"]) for tag in item.get("Tags", ())]
    return next((who for start, who in _KEEPERS if any(key.startswith(start) for key in keys)), "")


def said(seen: Observed[SecurityGroup, Any]) -> SecurityGroup:
    """An empty description of a rule goes without saying."""
    spec = seen.spec
    return spec.but(ingress=_described(spec.ingress or Ingress()), egress=_described(spec.egress or Egress()))


def _described[Some: Rules](rules: Some) -> Some:
    return type(rules)({key: description or None for key, description in rules.items()})


IMPORT = Import(name=lambda item: str(item["GroupName"]), kept_by=kept_by, said=said)
