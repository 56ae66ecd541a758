"""celadon in other people's houses: their masters, commands and interfaces."""
