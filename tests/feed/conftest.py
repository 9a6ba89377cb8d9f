"""The database of the tests of jobs, where nobody else reads events."""

from __future__ import annotations

from tests.job.conftest import app as app
from tests.job.conftest import client as client
from tests.job.conftest import desk as desk
from tests.job.conftest import desk_url as desk_url
