"""The menu of the day."""

from flask import Flask, render_template

app = Flask(__name__)
DISHES = ["Lentil soup", "Pancakes"]


@app.get("/")
def menu():
    return render_template("menu.html", dishes=DISHES)
