"""`holdfast dead-letters` as scripts call it."""

from __future__ import annotations

import json

from holdfast.kernel.ids import new_id
from tests.main.test_audit_command import holdfast
from tests.processes import until

from .conftest import Desk, reaction
from .test_dead_letters import Door


async def test_list_show_replay(desk: Desk) -> None:
    settings = {"HOLDFAST_DATABASE_URL": desk.url, "HOLDFAST_UNSAFE_DATABASE": "1"}
    door = reaction("door", Door())
    desk.react(door)
    [event] = await desk.emit()
    async with desk.lane(door):
        await until(desk.drained)

    listed = await holdfast("dead-letters", "list", "--json", **settings)
    [letter] = [json.loads(line) for line in listed.stdout.splitlines()]
    assert letter["event"]["id"] == str(event.id)
    table = await holdfast("dead-letters", "list", **settings)
    assert letter["id"] in table.stdout
    replayed = await holdfast("dead-letters", "replay", letter["id"], **settings)
    assert json.loads(replayed.stdout)["replayed_by"] == "system"
    assert await desk.count("job") == 1
    missing = await holdfast("dead-letters", "show", str(new_id()), **settings)
    assert (missing.returncode, missing.stdout) == (1, "")
    assert "There is no dead letter" in missing.stderr
