"""Ray Tune's own unit tests, first on Ray, then with changed imports on Trialwright."""
