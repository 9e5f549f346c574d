"""The built-in controllers and the node: what makes of an object in the store something that runs.

Reading order: base (the frame of every loop), then one file per controller.
"""
