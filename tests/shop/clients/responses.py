"""Realistic response bodies of the five services."""

USER = {
    "id": 7,
    "email": "ada@example.com",
    "full_name": "Ada Example",
    "is_active": True,
    "plan": "pro",
    "created_at": "2024-02-29T08:15:00.120Z",
    "locale": "en-GB",
    "avatar_url": "https://img.example.com/7.png",
    "address": {"city": "London", "country": "GB", "postcode": "W1"},
    "loyalty_points": 120,
}
ORDER = {
    "id": 31,
    "user_id": 7,
    "status": "shipped",
    "total": 40.5,
    "currency": "EUR",
    "items": [{"sku": "A-1", "name": "Lamp", "quantity": 2, "price": 20.25}],
    "created_at": "2026-01-05T10:00:00Z",
    "tracking": "T123",
    "carrier": None,
    "paid": True,
}
NOTIFICATION = {
    "id": 1,
    "type": "order",
    "title": "Shipped",
    "body": "Your lamp is on its way.",
    "read": False,
    "at": "2026-01-05T10:00:00+01:00",
}
RECOMMENDATION = {
    "sku": "B-2",
    "name": "Bulb",
    "price": 4.99,
    "score": 0.93,
    "image": "https://img.example.com/b2.png",
    "reason": "Goes with your lamp",
}
PRODUCT = {
    "sku": "A-1",
    "name": "Lamp",
    "price": 20.25,
    "currency": "EUR",
    "in_stock": True,
    "image": "https://img.example.com/a1.png",
}
