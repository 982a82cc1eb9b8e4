"""Short and long forms of a mnemonic: "VOLTage" is `VOLT` or `VOLTAGE` and nothing in between."""

from functools import cache


@cache
def short_form(mnemonic: str) -> str:
    """The capitals of the mnemonic as documented, with digits and underscores kept."""
    return "".join(c for c in mnemonic if not c.islower())


@cache
def long_form(mnemonic: str) -> str:
    """The whole mnemonic in capitals."""
    return mnemonic.upper()


def matches(mnemonic: str, word: str) -> bool:
    """Whether `word`, in any case, is the short or the long form of `mnemonic`."""
    capitals = word.upper()
    return capitals == short_form(mnemonic) or capitals == long_form(mnemonic)
