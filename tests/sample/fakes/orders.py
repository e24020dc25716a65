"""Fake of the orders service."""

from fastapi import FastAPI

app = FastAPI()


@app.get("/orders")
async def list_orders(user_id: int, limit: int = 10) -> list[dict[str, object]]:
    return [{"id": number, "user_id": user_id, "total": 9.5} for number in range(1, limit + 1)]
