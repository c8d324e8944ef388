"""The flows process takes its limits from the environment."""

import pytest
from pydantic import ValidationError

from hybridmandate.local.processes.flows import flows_settings
from hybridmandate.manifest import Environment
from hybridmandate.orchestration.limits import Licence, Profile

PLACE = {
    "environment": {
        "name": "dev",
        "kind": "dev",
        "tenant": "7d2c9f1e-0b7a-4d4e-8a53-5f3a1c2b9e10",
    }
}


@pytest.mark.parametrize(
    ("flows", "profile", "licence"),
    [
        ({}, Profile.MEDIUM, None),
        ({"profile": "low", "licence": "standard"}, Profile.LOW, Licence.STANDARD),
        ({"profile": "high", "licence": "process"}, Profile.HIGH, Licence.PROCESS),
    ],
)
def test_profile_and_licence_of_the_environment_hold(
    flows: dict[str, str], profile: Profile, licence: Licence | None
) -> None:
    settings = flows_settings(Environment.model_validate({**PLACE, "flows": flows}), "t")
    assert (settings.profile, settings.licence) == (profile, licence)


def test_manifest_and_limits_name_the_same_profiles_and_licences() -> None:
    for profile in Profile:
        for licence in Licence:
            given = {"profile": profile.value, "licence": licence.value}
            assert flows_settings(Environment.model_validate({**PLACE, "flows": given}), "t")


def test_unknown_profile_is_refused() -> None:
    with pytest.raises(ValidationError, match="profile"):
        Environment.model_validate({**PLACE, "flows": {"profile": "huge"}})


@pytest.mark.parametrize("name", ["keep_steps", "database_patience"])
def test_what_is_no_length_of_time_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match=name):
        Environment.model_validate({**PLACE, "flows": {name: "soon"}})
