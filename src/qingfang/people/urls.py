"""Addresses of sign-in, persons, imports, departments, terminals, locations and acts."""

from django.urls import path

from qingfang.people import views
from qingfang.people.importing import views as importing

urlpatterns = [
    path("sign-in", views.sign_in, name="sign-in"),
    path("sign-in/code", views.sign_in_factor, name="sign-in-factor"),
    path("factor", views.factor_page, name="factor"),
    path("persons/factor", views.factor_roles, name="factor-roles"),
    path("persons/<int:pk>/factor", views.factor_reset, name="factor-reset"),
    path("sign-out", views.sign_out, name="sign-out"),
    path("password", views.password, name="password"),
    path("persons/", views.persons, name="persons"),
    path("persons/new", views.person_new, name="person-new"),
    path("persons/import", importing.persons_new, name="persons-import"),
    path("persons/template.xlsx", importing.persons_template, name="persons-template"),
    path("imports/<int:pk>", importing.one, name="import"),
    path("imports/<int:pk>/confirm", importing.confirm, name="import-confirm"),
    path("persons/<int:pk>", views.person, name="person"),
    path("persons/<int:pk>/roles/give", views.role_give, name="role-give"),
    path("persons/<int:pk>/roles/take", views.role_take, name="role-take"),
    path("persons/<int:pk>/password", views.password_reset, name="password-reset"),
    path("persons/<int:pk>/active", views.person_active, name="person-active"),
    path("departments/", views.departments, name="departments"),
    path("departments/new", views.department, name="department-new"),
    path("departments/<int:pk>", views.department, name="department"),
    path("posts/", views.posts, name="posts"),
    path("posts/new", views.post, name="post-new"),
    path("posts/<int:pk>", views.post, name="post"),
    path("locations/", views.locations, name="locations"),
    path("locations/new", views.location, name="location-new"),
    path("locations/<int:pk>", views.location, name="location"),
    path("terminals/", views.terminals, name="terminals"),
    path("terminals/new", views.terminal, name="terminal-new"),
    path("terminals/import", importing.terminals_new, name="terminals-import"),
    path("terminals/template.xlsx", importing.terminals_template, name="terminals-template"),
    path("terminals/<int:pk>", views.terminal, name="terminal"),
    path("acts/", views.acts_list, name="acts"),
]
