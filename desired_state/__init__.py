"""The document: its models, its loader and its checks. Knows nothing about AWS clients or reconciling."""
