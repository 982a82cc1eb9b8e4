"""A spatial light modulator and a camera, as a diffractive bench needs them; they speak no bytes."""
