"""Orders: what the user wants done, prepared here (pure) and carried out through a port.

An order is shown before it is sent, rehearsed by a server-side dry run, and carried out once. When
the answer is lost, the server is asked what became of it; nothing is ever done a second time.
"""
