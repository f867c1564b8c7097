"""The panes: each renders the estate and sends intents. None of them imports a gateway, starts a
thread or changes the estate.

A pane has BINDINGS, ``compose``, ``show(delta)`` for what changed, a pure ``cells(value, now)``, and
actions of one line that post an intent to the app.
"""
