"""Films of robots: pictures, and beside them what torques, speed, costs and violations there are."""

from pgrobot.film.agents import AGENTS, agent, check_agent
from pgrobot.film.filming import STANDARD, Format, film
from pgrobot.film.length import FPS, frame_count
from pgrobot.film.mp4 import check_target
from pgrobot.film.scene import mechanics_of, scene_of
from pgrobot.film.shot import Shot, Take, frames

__all__ = [
    "AGENTS",
    "FPS",
    "STANDARD",
    "Format",
    "Shot",
    "Take",
    "agent",
    "check_agent",
    "check_target",
    "film",
    "frame_count",
    "frames",
    "mechanics_of",
    "scene_of",
]
