from django.urls import path

from accounts.views import own, people, sessions, teams

app_name = "accounts"

urlpatterns = [
    path("sign-in", sessions.sign_in, name="sign_in"),
    path("sign-out", sessions.sign_out, name="sign_out"),
    path("", own.account, name="account"),
    path("password", own.password, name="password"),
    path("theme", own.theme, name="theme"),
    path("tokens", own.create_token, name="create_token"),
    path("tokens/<int:pk>/revoke", own.revoke_token, name="revoke_token"),
    path("people/", people.people, name="people"),
    path("people/new", people.new, name="new_person"),
    path("people/<int:pk>/", people.person, name="person"),
    path("people/<int:pk>/password", people.password, name="set_password"),
    path("teams/new", teams.new, name="new_team"),
    path("teams/<int:pk>/", teams.team, name="team"),
    path("teams/<int:pk>/delete", teams.delete, name="delete_team"),
    path("teams/<int:pk>/members/<int:member>/remove", teams.remove_member, name="remove_member"),
]
