"""Tests of trialwright.space."""
