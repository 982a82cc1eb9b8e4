"""QCoDeS instruments: the chips and the safety envelope around them."""
