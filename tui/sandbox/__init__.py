"""A world to try things in: the Kubernetes API, an S3 store and an operator that plays its part.

Everything here speaks over loopback HTTP, so that the app's own gateways, kubectl and boto3 meet it
unchanged. What it says, it says as the genuine parts do, texts included; what it cannot do, it
refuses rather than pretends.

It imports nothing else of tui, not even a formula: a mistake shared by both sides would make every
test agree with it.
"""
