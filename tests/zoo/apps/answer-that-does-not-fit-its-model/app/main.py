"""What a shop has in stock, over HTTP."""

from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()
STOCK = [{"name": "Bolts", "pieces": 40}, {"name": "Nuts", "pieces": None}]


class Item(BaseModel):
    name: str
    pieces: int


@app.get("/")
def stock() -> list[Item]:
    return STOCK
