"""Holdfast: one booking engine that never books twice."""
