"""Preparing data before training."""
