from app import app


def test_who_signs_is_shown():
    client = app.test_client()
    client.post("/sign", data={"name": "Ada"})
    assert b"<li>Ada</li>" in client.get("/").data
