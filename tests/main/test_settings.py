"""Settings: read from the environment, refused with a sentence for each error."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from holdfast.identity.issuer import DevIssuer
from holdfast.kernel.config import Settings, SettingsError, load_settings
from tests.forks import run

pytestmark = pytest.mark.usefixtures("no_settings")


def problems_of(**given: object) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as refused:
        load_settings(**given)
    return refused.value.problems


def test_without_variables_it_runs_on_this_machine_alone() -> None:
    settings = load_settings()
    assert settings.database_url is None
    assert (settings.data_dir, settings.host, settings.port) == (Path("data"), "127.0.0.1", 8000)
    assert not settings.unsafe_database


def test_variables_are_read_and_empty_ones_count_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_PORT", "9000")
    monkeypatch.setenv("HOLDFAST_LOG_LEVEL", "debug")
    monkeypatch.setenv("HOLDFAST_DATABASE_URL", "")
    settings = load_settings()
    assert (settings.port, settings.log_level, settings.database_url) == (9000, "DEBUG", None)


def test_the_command_line_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_PORT", "9000")
    assert load_settings(port=9001, host=None).port == 9001


def test_an_unknown_variable_is_refused_with_the_one_that_was_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_PROT", "9000")
    assert problems_of() == ("HOLDFAST_PROT is not a setting: did you mean HOLDFAST_PORT?",)


def test_each_wrong_value_gets_a_sentence_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_POOL_MAX", "many")
    monkeypatch.setenv("HOLDFAST_LOG_LEVEL", "loud")
    monkeypatch.setenv("HOLDFAST_QQQQQQ", "1")
    level, pool, unknown = sorted(problems_of())
    assert level.startswith("HOLDFAST_LOG_LEVEL=LOUD: must be 'DEBUG', 'INFO'")
    assert pool.startswith("HOLDFAST_POOL_MAX=many: must be a valid integer")
    assert unknown.startswith("HOLDFAST_QQQQQQ is not a setting: there are HOLDFAST_DATABASE_URL, ")


def test_a_wrong_option_is_named_as_it_was_given() -> None:
    assert problems_of(port=70000) == ("--port=70000: must be less than or equal to 65535.",)


@pytest.mark.parametrize(
    "url", ["mysql://alice:secret@db/x", "postgresql://alice:secret@db", "secret", "http://["]
)
def test_a_wrong_database_is_refused_and_its_password_not_repeated(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_DATABASE_URL", url)
    (problem,) = problems_of()
    assert problem.startswith("HOLDFAST_DATABASE_URL: must be an address such as postgresql://")
    assert "secret" not in problem


def test_the_password_is_not_in_what_is_printed_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_DATABASE_URL", "postgresql://alice:secret@db/x")
    assert "secret" not in repr(load_settings())


def test_an_issuer_needs_an_audience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_OIDC_ISSUER", "https://id.example.org")
    assert problems_of() == ("HOLDFAST_OIDC_ISSUER needs HOLDFAST_OIDC_AUDIENCE: the `aud` of its tokens.",)


def test_a_process_started_with_its_environ_has_the_same_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        "database_url": "postgresql://alice:secret@db/x",
        "port": 1,
        "unsafe_database": True,
        "data_dir": Path("a b"),
    }
    settings = load_settings(**given)
    for name, value in settings.environ().items():
        monkeypatch.setenv(name, value)
    assert load_settings() == settings


def test_every_setting_is_documented_with_its_default() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert "Default: " in field.description, name


def holdfast(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")}
    return run(words, env=environ | variables, timeout_s=240)


def test_a_command_with_wrong_settings_ends_with_2_and_says_one_sentence_for_each() -> None:
    ended = holdfast("token", "--role", "staff", HOLDFAST_PROT="1", HOLDFAST_PORT="x")
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert len(ended.stderr.splitlines()) == 2
    assert "Traceback" not in ended.stderr


def test_a_command_that_fails_ends_with_1_and_shows_the_traceback_only_when_asked() -> None:
    nobody = {"HOLDFAST_DATABASE_URL": "postgresql://127.0.0.1:1/x"}
    ended = holdfast("migrate", **nobody)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert len(ended.stderr.splitlines()) == 1
    assert "check HOLDFAST_DATABASE_URL" in ended.stderr
    assert "Traceback" in holdfast("migrate", HOLDFAST_DEBUG="1", **nobody).stderr


def test_token_prints_one_token_and_nothing_else(tmp_path: Path) -> None:
    DevIssuer.load(tmp_path / "data")
    words = ("token", "--tenant", "nordlek", "--role", "staff", "--role", "guest", "--ttl", "90s")
    ended = holdfast(*words, "--data-dir", str(tmp_path / "data"))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert len(ended.stdout.strip().split(".")) == 3
    assert ended.stdout.count("\n") == 1


def test_a_token_that_can_not_be_had_is_wrong_usage(tmp_path: Path) -> None:
    ended = holdfast("token", "--tenant", "nordlek", "--role", "king", "--data-dir", str(tmp_path))
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("role: must be one or more of admin, ")


@pytest.mark.parametrize(
    "url",
    [
        "redis://cache",
        "redis://cache:6379/2",
        "rediss://me:secret@cache:6380/0",
        "unix:///run/redis.sock?db=1",
    ],
)
def test_an_address_of_redis(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("HOLDFAST_REDIS_URL", url)
    assert load_settings().redis_url == url


@pytest.mark.parametrize(
    "url",
    [
        "cache:6379",
        "http://cache",
        "redis://",
        "redis://cache:port",
        "redis://:secret@cache/first",
        "redis://cache/0?socket_timeout=60",
        "unix://",
        "unix:///run/redis.sock?x=1",
    ],
)
def test_no_address_of_redis(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("HOLDFAST_REDIS_URL", url)
    (problem,) = problems_of()
    assert problem.startswith("HOLDFAST_REDIS_URL: must be an address such as redis://")
    assert "secret@cache/first" not in problem
