"""Addresses of grants and routes."""

from django.urls import path

from qingfang.access import views

urlpatterns = [
    path("grants/", views.grants, name="grants"),
    path("grants/new", views.grant_new, name="grant-new"),
    path("grants/<int:pk>", views.grant, name="grant"),
    path("grants/<int:pk>/step", views.grant_step, name="grant-step"),
    path("routes/", views.route_list, name="routes"),
    path("routes/<slug:name>/mode", views.route_switch, name="route-switch"),
    path("calendar", views.working_calendar, name="calendar"),
]
