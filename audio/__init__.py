"""Sound: formats, probe, recipe, loudness, speech, and the store that keeps finished recordings."""
