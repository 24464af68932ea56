"""Heads: what a policy's last numbers mean. One file each; a config names it by its path."""
