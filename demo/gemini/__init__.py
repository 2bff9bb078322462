"""A stand-in for the Gemini API, whose scripted model reads what it is shown."""
