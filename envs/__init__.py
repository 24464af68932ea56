"""Robot tasks of pgrobot, installed as ``pgrobot.envs``."""
