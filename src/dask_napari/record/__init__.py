"""What arrives, in files: an OME-Zarr that grows while a computation runs, and back from there."""
