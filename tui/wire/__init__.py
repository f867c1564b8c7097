"""The only rooms that speak to a network: thin gateways, faults translated once.

``kube`` alone knows the Kubernetes client: ``kubeconfig`` finds out which server and as whom,
``plugins`` and ``proofs`` what is shown to it, ``answers`` and ``refusals`` read what it says.
``bucket`` alone knows the S3 client. No patience lives here (feeds retry, gateways do not), and no
secret leaves in a log, a repr or a fault.
"""
