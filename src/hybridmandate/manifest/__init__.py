"""The hybrid solution on disk: `mandate.toml`, environments, and where its artefacts lie.

Pure models and a loader that refuses a folder with any error. May import contracts only.
"""

from hybridmandate.manifest.environment import Connection, Environment, EnvironmentKind, Library
from hybridmandate.manifest.finding import Finding, SolutionRefused
from hybridmandate.manifest.loading import MANIFEST, SolutionFolder, load_solution
from hybridmandate.manifest.solution import (
    Commit,
    DeclaredPrincipal,
    FileRules,
    Owner,
    Owners,
    Person,
    PrincipalKind,
    Solution,
    SolutionClass,
    View,
)

__all__ = [
    "MANIFEST",
    "Commit",
    "Connection",
    "DeclaredPrincipal",
    "Environment",
    "EnvironmentKind",
    "FileRules",
    "Finding",
    "Library",
    "Owner",
    "Owners",
    "Person",
    "PrincipalKind",
    "Solution",
    "SolutionClass",
    "SolutionFolder",
    "SolutionRefused",
    "View",
    "load_solution",
]
