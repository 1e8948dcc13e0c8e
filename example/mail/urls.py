from django.urls import path

from mail import views

urlpatterns = [
    path("", views.timeline, name="timeline"),
    path("timeline/live/", views.live, name="live"),
    path("mail/arrived/", views.arrived, name="arrived"),
    path("mail/preview/<int:pk>/", views.preview, name="preview"),
    path("mail/send-now/<int:pk>/", views.send_now, name="send-now"),
    path("mail/morning-job/", views.run_morning_job, name="morning-job"),
    path("mail/decide/<int:pk>/", views.decide, name="decide"),
]
