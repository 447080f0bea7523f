"""Addresses of alerts, coverage and what tables mean."""

from django.urls import path

from qingfang.review import views
from qingfang.review.meaning import views as meaning

urlpatterns = [
    path("alerts/", views.alerts, name="alerts"),
    path("alerts/stream", views.alert_stream, name="alert-stream"),
    path("alerts/notice/<int:seq>", views.alert_noticed, name="alert-noticed"),
    path("alerts/<int:pk>", views.alert, name="alert"),
    path("alerts/<int:pk>/acknowledgement", views.alert_acknowledge, name="alert-acknowledge"),
    path("alerts/<int:pk>/notes", views.alert_note, name="alert-note"),
    path("alerts/<int:pk>/disposition", views.alert_rule, name="alert-rule"),
    path("alerts/<int:pk>/verifier", views.alert_assign, name="alert-assign"),
    path("opaque/", views.opaque, name="opaque"),
    path("opaque/<int:pk>", views.opaque_template, name="opaque-template"),
    path("opaque/<int:pk>/again", views.opaque_again, name="opaque-again"),
    path("opaque/<int:pk>/source", views.opaque_source, name="opaque-source"),
    path("opaque/<int:pk>/no-usage", views.opaque_no_usage, name="opaque-no-usage"),
    path("office/catalogues/", meaning.databases, name="catalogues"),
    path("office/catalogues/<slug:name>", meaning.tables, name="catalogue"),
    path("office/catalogues/<slug:name>/table", meaning.confirm, name="catalogue-confirm"),
    path("office/catalogues/<slug:name>/add", meaning.add, name="catalogue-add"),
    path("office/catalogues/<slug:name>/undo", meaning.undo, name="catalogue-undo"),
    path("coverage/", views.coverage_page, name="coverage"),
]
