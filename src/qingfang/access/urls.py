"""Addresses of grants, routes and the discipline office's settings."""

from django.urls import path

from qingfang.access import views

urlpatterns = [
    path("grants/", views.grants, name="grants"),
    path("grants/new", views.grant_new, name="grant-new"),
    path("grants/<int:pk>", views.grant, name="grant"),
    path("grants/<int:pk>/step", views.grant_step, name="grant-step"),
    path("office/", views.office, name="office"),
    path("office/duties/", views.duties, name="duties"),
    path("office/duties/new", views.duty_edit, name="duty-new"),
    path("office/duties/<int:pk>", views.duty_edit, name="duty"),
    path("office/duties/<int:pk>/remove", views.duty_remove, name="duty-remove"),
    path("office/designations/", views.designations, name="designations"),
    path("office/designations/new", views.designation, name="designation-new"),
    path("office/designations/<int:pk>", views.designation, name="designation"),
    path("office/registered/", views.registered, name="registered"),
    path("office/registered/reports/new", views.report, name="report-new"),
    path("office/registered/reports/<int:pk>", views.report, name="report"),
    path("office/registered/services/new", views.service, name="service-new"),
    path("office/registered/services/<int:pk>", views.service, name="service"),
    path("office/registered/<int:pk>/switch", views.registered_switch, name="registered-switch"),
    path("office/changes/", views.changes_list, name="changes"),
    path("office/changes/<int:pk>", views.change, name="change"),
    path("office/changes/<int:pk>/decision", views.change_decide, name="change-decide"),
    path("office/definition/", views.definition, name="definition"),
    path("office/settled/", views.settled, name="settled"),
    path("office/settled/<int:pk>", views.settlement, name="settlement"),
    path("office/settled/<int:pk>/decision", views.settlement_decide, name="settlement-decide"),
    path("office/policy/", views.policy_text, name="policy"),
    path("routes/", views.route_list, name="routes"),
    path("routes/<slug:name>/mode", views.route_switch, name="route-switch"),
    path("calendar", views.working_calendar, name="calendar"),
]
