from django.http import JsonResponse
from django.urls import path

from stock.models import Item


def items(request):
    return JsonResponse({"items": list(Item.objects.values("name", "shelf"))})


urlpatterns = [path("", items)]
