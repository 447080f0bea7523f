"""All addresses of the console."""

from django.urls import include, path

from qingfang.web import views

urlpatterns = [
    path("", views.home, name="home"),
    path("language", views.set_language, name="set_language"),
    path("", include("qingfang.web.setup.urls")),
    path("", include("qingfang.people.urls")),
    path("", include("qingfang.access.urls")),
    path("", include("qingfang.review.urls")),
]
handler403 = "qingfang.web.views.forbidden"
handler404 = "qingfang.web.views.missing"
handler500 = "qingfang.web.views.broken"
