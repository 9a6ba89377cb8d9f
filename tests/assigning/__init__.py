"""Tests of the choice of resources."""
