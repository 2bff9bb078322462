"""A stand-in for the Codegen API, whose scripted agent really works on the stand-in GitHub."""
