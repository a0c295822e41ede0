"""Where the shop's views are."""

from django.urls import path

from . import views

urlpatterns = [
    path("login/<str:user_id>", views.log_in),
    path("logout", views.log_out),
    path("whoami", views.whoami),
    path("cart/add/<int:item>", views.add_to_cart),
    path("impersonate/<str:user_id>", views.impersonate),
    path("note/<str:text>", views.note),
]
