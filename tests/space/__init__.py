"""Tests of trialist.space."""
