"""The one thing pyproject.toml cannot say: conf/ and envs/, discovered and installed inside pgrobot."""

from setuptools import find_namespace_packages, setup

INSIDE = ("conf", "envs")

setup(
    package_dir={f"pgrobot.{name}": name for name in INSIDE},
    packages=[
        *find_namespace_packages(include=["pgrobot", "pgrobot.*"]),
        *(
            f"pgrobot.{package}"
            for name in INSIDE
            for package in find_namespace_packages(include=[name, f"{name}.*"])
        ),
    ],
)
