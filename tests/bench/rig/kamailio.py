"""Kamailio with rtpengine, from Debian's packages: the same calls, accounts and anchored media, for comparison."""


class Missing(Exception):
    """It cannot be run here; the words say what is missing."""


class Kamailio:
    name = "Kamailio + rtpengine"

    def __init__(self, home, **options):
        raise Missing("not yet")
