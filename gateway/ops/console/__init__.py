"""The console: one page on the ops port, in which operators watch and change limits."""
