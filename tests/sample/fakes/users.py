"""Fake of the users service."""

from fastapi import FastAPI

app = FastAPI()


@app.get("/users/{user_id}")
async def get_user(user_id: int) -> dict[str, object]:
    return {"id": user_id, "name": f"User {user_id}"}
