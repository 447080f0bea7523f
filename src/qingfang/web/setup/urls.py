"""Addresses of the first run and of what is still missing."""

from django.urls import path

from qingfang.web.setup import views

urlpatterns = [
    path("setup/", views.enter, name="setup"),
    path("setup/steps", views.steps, name="setup-steps"),
    path("setup/calendar", views.set_calendar, name="setup-calendar"),
    path("setup/notice", views.send_notice, name="setup-notice"),
    path("setup/accounts", views.make_accounts, name="setup-accounts"),
    path("missing/", views.missing, name="missing"),
]
