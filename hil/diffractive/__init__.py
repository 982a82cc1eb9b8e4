"""The application's side of diffractive networks."""
