"""napari with the canvases as layers; the only package that imports napari and Qt."""
