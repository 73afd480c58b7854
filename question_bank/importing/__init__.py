"""Item lists from other programs: read, previewed with every fault by row, taken in whole or not at all."""
