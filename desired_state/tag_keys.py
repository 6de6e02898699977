"""The keys of tags that a document cannot declare. Without the models of a document: the page of a run needs it too."""

OWN = "setpoint:"
"""With this begin the tags by which Setpoint knows its resources."""

AWS = ("aws:", "rds:")
"""With these, in any case, begin those that AWS keeps for itself."""
