"""A queue that gives its jobs back in order."""


class Queue:
    def __init__(self):
        self._jobs = []

    def put(self, job):
        self._jobs.append(job)

    def take_all(self):
        return list(self._jobs)
