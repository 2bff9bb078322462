"""Answers with a fortune."""

import random

from flask import Flask

app = Flask(__name__)
FORTUNES = ["Soon.", "Not today."]


@app.get("/")
def fortune():
    chosen = random.choice(FORTUNES)
   return chosen
