"""Retrieval with git: exact trees out of bare repositories, never a checkout.

``source.py`` is the door (``GitSource``). ``address.py`` judges addresses, ``command.py`` runs git
shut in, ``repository.py`` is one bare repository; ``remote.py``, ``local.py`` and
``submodules.py`` bring commits into it; ``listing.py`` judges a tree's paths, ``inspection.py``
its links and pointers; ``tree.py`` and ``archive.py`` give the tree away.
"""

from bot.adapters.git.source import Bounds, GitSource

__all__ = ["Bounds", "GitSource"]
