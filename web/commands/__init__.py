"""The commands of the launcher, one module for each group; each has `add(commands)`."""
