"""From a picture to its restored one: exporting, backends, tiles, files."""
