"""Addresses of sign-in, persons, terminals and acts."""

from django.urls import path

from qingfang.people import views

urlpatterns = [
    path("sign-in", views.sign_in, name="sign-in"),
    path("sign-out", views.sign_out, name="sign-out"),
    path("password", views.password, name="password"),
    path("persons/", views.persons, name="persons"),
    path("persons/new", views.person_new, name="person-new"),
    path("persons/<int:pk>", views.person, name="person"),
    path("persons/<int:pk>/roles/give", views.role_give, name="role-give"),
    path("persons/<int:pk>/roles/take", views.role_take, name="role-take"),
    path("persons/<int:pk>/password", views.password_reset, name="password-reset"),
    path("persons/<int:pk>/active", views.person_active, name="person-active"),
    path("terminals/", views.terminals, name="terminals"),
    path("terminals/new", views.terminal, name="terminal-new"),
    path("terminals/<int:pk>", views.terminal, name="terminal"),
    path("acts/", views.acts_list, name="acts"),
]
