from django.urls import URLPattern

app_name = "hosts"

urlpatterns: list[URLPattern] = []
