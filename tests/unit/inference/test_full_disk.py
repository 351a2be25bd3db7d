"""Answers over HTTP while the disk of the state root is full."""

from pathlib import Path

from tests.small_disk import small_disk
from tests.unit.inference.worlds import Template, World


def test_a_full_disk_refuses_only_what_must_be_stored(template: Template, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 8 << 20) as disk:
        world = World(disk.path / "root", template)
        world.happen(20)
        world.catch_up()
        decision_id = world.predict()["decision_id"]
        disk.fill()
        world.look()
        answers = (world.ask("POST", "/v1/predict", {"top_k": 50}) for _ in range(500))
        # The catalog's journal may still have room of its own.
        problem = next(each.json() for each in answers if each.status_code != 200)
        health, unknown = world.ask("GET", "/health"), world.ask("GET", "/health", who="")
        models = world.ask("GET", "/v1/models")

        assert (problem["status"], problem["code"]) == (503, "storage_full")
        assert "free some space" in problem["hint"]
        assert (health.status_code, health.json()["status"]) == (200, "degraded")
        assert "cannot write to" in health.json()["last_error"]
        assert str(disk.path) not in unknown.text
        assert models.status_code == 200
        disk.free()
        world.look()
        assert world.ask("GET", "/health").json()["status"] == "ok"
        assert world.feedback(decision_id, "accepted", 1).status_code == 200
        assert world.predict()["decision_id"] != decision_id
        world.stop()
