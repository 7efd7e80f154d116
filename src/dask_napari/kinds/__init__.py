"""What a task returned, made into the arrays of items: a module a kind.

``parts`` takes an output apart, ``arrays`` and ``tables`` read what it is made of, ``features``
makes columns of what belongs to points, shapes, tracks, vectors and labels.
"""
