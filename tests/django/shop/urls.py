"""Where the shop's views are."""

from django.apps import apps
from django.urls import include, path

from . import views

urlpatterns = [
    path("login/<str:user_id>", views.log_in),
    path("alogin/<str:user_id>", views.log_in_asynchronously),
    path("logout", views.log_out),
    path("rotate", views.rotate),
    path("password", views.change_password),
    path("elsewhere", views.log_out_elsewhere),
    path("whoami", views.whoami),
    path("cart/add/<int:item>", views.add_to_cart),
    path("cart/add/<int:item>/slowly", views.add_to_cart_slowly),
    path("impersonate/<str:user_id>", views.impersonate),
    path("note/<str:text>", views.note),
]
# The pages of allauth.mfa need packages that its tables do not.
if apps.is_installed("allauth") and not apps.is_installed("allauth.mfa"):
    urlpatterns.append(path("accounts/", include("allauth.urls")))
