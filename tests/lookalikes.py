"""Texts that look like tokens, are none, and have to stay readable wherever forge shows them."""

LOOKALIKES = {
    "a UUID": "123e4567-e89b-42d3-a456-426614174000",
    "a git SHA": "da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "a base64 image": "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk",
    "a URL slug": "https://blog.example.com/2024/how-we-moved-12-services-to-http3-in-3-weeks",
}
