"""Pieces of the screen that know how to draw, and nothing of backups.

A widget here can be shown alone with made-up data in ten lines: no gateway, no estate, no clock, no
thread. It is given values and says what the user did, as messages. Text from outside is drawn as
text, never as markup. A widget repaints what changed and nothing else, since every repainted cell
crosses somebody's SSH line; what it shows must read in 80 columns, in 16 colours and in none.
"""
