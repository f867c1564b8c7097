"""cnpg-tui: am I restorable, to which moment, and if not, what do I do now?"""

__version__ = "0.1.0"
