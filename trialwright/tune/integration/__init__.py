"""Callbacks of training libraries by Ray's names: one file each, imported only where it is used."""
