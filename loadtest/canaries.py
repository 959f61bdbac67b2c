"""The canaries: words in every receiver's name, telephone number and address that must turn up nowhere else.

The check of privacy looks for them in everything that must carry no personal data. They are of no use to anybody, so
that wherever one is found, a receiver's own words got there too.
"""

from __future__ import annotations

SONG = "kanari-"
"""What all of them begin with, and nothing else has."""
OF_NAME = f"{SONG}name"
OF_PHONE = f"{SONG}phone"
OF_ADDRESS = f"{SONG}address"
