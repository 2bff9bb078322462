from django.test import TestCase

from stock.models import Item


class ItemsTest(TestCase):
    def test_an_item_has_its_shelf(self):
        Item.objects.create(name="Bolts", shelf="B3")
        answer = self.client.get("/")
        self.assertEqual(answer.json(), {"items": [{"name": "Bolts", "shelf": "B3"}]})
