"""What is known now, and how it moves: facts come in by feeds, orders go out through a port.

No Textual and no client library: the ports (Protocols) this room needs are declared here, and the
gateways in ``wire`` happen to fit them. The Estate has one writer, the app.
"""
