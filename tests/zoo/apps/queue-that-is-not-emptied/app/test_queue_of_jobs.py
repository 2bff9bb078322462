import unittest

from queue_of_jobs import Queue


class QueueTest(unittest.TestCase):
    def test_what_was_taken_is_gone(self):
        queue = Queue()
        queue.put("print")
        self.assertEqual(queue.take_all(), ["print"])
        self.assertEqual(queue.take_all(), [])


if __name__ == "__main__":
    unittest.main()
