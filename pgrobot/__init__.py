"""Robotics continuous control: policies trained by gradient ascent under safety budgets."""
