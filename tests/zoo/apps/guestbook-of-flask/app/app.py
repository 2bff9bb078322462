"""A guestbook, kept in memory."""

from flask import Flask, redirect, render_template, request

app = Flask(__name__)
entries = []


@app.get("/")
def index():
    return render_template("index.html", entries=entries)


@app.post("/sign")
def sign():
    entries.append(request.form["name"])
    return redirect("/")
