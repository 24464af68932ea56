"""Hydra configuration of pgrobot, installed as ``pgrobot.conf``."""
