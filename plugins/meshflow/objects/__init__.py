"""Kubernetes objects as data: how they are named, read and ordered.

Reading order: reference, kinds, parsing, order, quantities.
"""
