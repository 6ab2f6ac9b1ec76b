"""Prediction: rows forward through a network, in blocks, by one or more threads.

Called by the estimators, the textbook class and early stopping.
"""
