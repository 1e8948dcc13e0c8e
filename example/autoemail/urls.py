from django.contrib import admin
from django.contrib.staticfiles.views import serve
from django.urls import include, path
from django.views.generic import RedirectView

admin.site.site_header = admin.site.site_title = "autoemail"
admin.site.index_title = "Everything that is stored"

handler500 = "autoemail.errors.server_error"
urlpatterns = [
    path("", include("mail.urls")),
    path("markets/", include("markets.urls")),
    path("trouble/", include("trouble.urls")),
    path("pulse.json", include("pulse.urls")),
    path("admin/", admin.site.urls),
    path("favicon.ico", RedirectView.as_view(url="/static/icon.svg")),
    # A site on the internet leaves its static files to the web server before it.
    path("static/<path:path>", serve, {"insecure": True}),
]
