"""The only rooms that speak to a network: thin gateways, faults translated once.

``kube`` knows the Kubernetes client, ``kubeconfig`` finds out which server and as whom, ``plugins``
asks exec credential plugins, ``refusals`` words what a server refuses. No patience lives here (feeds
retry, gateways do not), no parsing beyond JSON, and no secret leaves in a log, a repr or a fault.
"""
