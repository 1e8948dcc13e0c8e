from django.urls import path

from pulse.views import pulse

urlpatterns = [path("", pulse, name="pulse")]
