//! Kinds of credentials that fewer sites have, and what users log in with besides passwords.

use serde_json::{Value, json};

use crate::site::Site;
use crate::world::World;

/// The tables as the migrations of the packages make them, but for columns that do not matter. Each has a valid row of 42 and of
/// 7, and where rows can be invalid such ones of 42.
pub(crate) fn tables(w: &World) {
    let (time, is) = if w.is_sqlite() {
        ("datetime", "bool")
    } else if w.is_mysql() {
        ("datetime(6)", "tinyint(1)")
    } else {
        ("timestamptz", "bool")
    };
    let (past, later) = ("'2020-01-01 00:00:00'", "'2099-01-01 00:00:00'");
    w.execute(&format!(
        "CREATE TABLE oauth2_provider_idtoken (id integer PRIMARY KEY, user_id integer, expires {time} NOT NULL);
         INSERT INTO oauth2_provider_idtoken VALUES (1, 42, {later}), (2, 42, {past}), (3, 7, {later});
         CREATE TABLE oauth2_provider_accesstoken (id integer PRIMARY KEY, user_id integer, expires {time} NOT NULL,
             id_token_id integer REFERENCES oauth2_provider_idtoken (id));
         INSERT INTO oauth2_provider_accesstoken VALUES (1, 42, {past}, 1), (2, 42, {past}, 2), (3, 7, {past}, 3);
         CREATE TABLE oauth2_provider_devicegrant (id integer PRIMARY KEY, user_id integer, expires {time} NOT NULL, status varchar(64));
         INSERT INTO oauth2_provider_devicegrant VALUES (1, 42, {later}, 'authorized'), (2, 42, {later}, 'expired'),
             (3, 42, {past}, 'authorized'), (4, 7, {later}, 'authorized');
         CREATE TABLE allauth_idp_oidc_token (id integer PRIMARY KEY, user_id integer, expires_at {time});
         INSERT INTO allauth_idp_oidc_token VALUES (1, 42, NULL), (2, 42, {past}), (3, 7, {later}), (4, NULL, NULL);
         CREATE TABLE oidc_provider_token (id integer PRIMARY KEY, user_id integer, expires_at {time} NOT NULL);
         INSERT INTO oidc_provider_token VALUES (1, 42, {past}), (2, 7, {later});
         CREATE TABLE oidc_provider_code (id integer PRIMARY KEY, user_id integer NOT NULL, expires_at {time} NOT NULL);
         INSERT INTO oidc_provider_code VALUES (1, 42, {later}), (2, 42, {past}), (3, 7, {later});
         CREATE TABLE refresh_token_refreshtoken (id integer PRIMARY KEY, user_id integer NOT NULL, revoked {time});
         INSERT INTO refresh_token_refreshtoken VALUES (1, 42, NULL), (2, 42, {past}), (3, 7, NULL);
         CREATE TABLE durin_authtoken (id integer PRIMARY KEY, user_id integer NOT NULL, expiry {time} NOT NULL);
         INSERT INTO durin_authtoken VALUES (1, 42, {later}), (2, 42, {past}), (3, 7, {later});
         CREATE TABLE tastypie_apikey (id integer PRIMARY KEY, user_id integer NOT NULL);
         INSERT INTO tastypie_apikey VALUES (1, 42), (2, 7);
         CREATE TABLE mfa_authenticator (id integer PRIMARY KEY, user_id integer NOT NULL, type varchar(20) NOT NULL);
         INSERT INTO mfa_authenticator VALUES (1, 42, 'webauthn'), (2, 42, 'totp'), (3, 42, 'webauthn');
         CREATE TABLE django_otp_webauthn_webauthncredential (id integer PRIMARY KEY, user_id integer NOT NULL, confirmed {is} NOT NULL);
         INSERT INTO django_otp_webauthn_webauthncredential VALUES (1, 42, true), (2, 42, false), (3, 7, true);
         CREATE TABLE passkeys_userpasskey (id integer PRIMARY KEY, user_id integer NOT NULL, enabled {is} NOT NULL);
         INSERT INTO passkeys_userpasskey VALUES (1, 42, true), (2, 42, false), (3, 7, true);
         CREATE TABLE socialaccount_socialaccount (id integer PRIMARY KEY, user_id integer NOT NULL);
         INSERT INTO socialaccount_socialaccount VALUES (1, 42), (2, 7);
         CREATE TABLE social_auth_usersocialauth (id integer PRIMARY KEY, user_id integer NOT NULL);
         INSERT INTO social_auth_usersocialauth VALUES (1, 42), (2, 7)"
    ));
}

const TOKENS: [&str; 8] = [
    "allauth_idp_oidc_token",
    "durin_authtoken",
    "oauth2_provider_devicegrant",
    "oauth2_provider_idtoken",
    "oidc_provider_code",
    "oidc_provider_token",
    "refresh_token_refreshtoken",
    "tastypie_apikey",
];

/// Valid rows by table.
fn valid(report: &Value, field: &str) -> Value {
    let all = report[field].as_array().unwrap().iter();
    all.map(|one| (one["table"].as_str().unwrap().to_owned(), one["valid"].clone())).collect()
}

fn one_of_each() -> Value {
    TOKENS.iter().map(|table| ((*table).to_owned(), json!(1))).collect()
}

#[test]
fn every_kind_is_counted_and_ended_and_what_users_log_in_with_stays() {
    World::each("tokens_kinds", |w| {
        w.user("42", 1);
        tables(w);
        let logout = ["logout-user", "42", "--format", "json"];
        let logins = json!({"mfa_authenticator": 2, "django_otp_webauthn_webauthncredential": 1, "passkeys_userpasskey": 1,
                            "socialaccount_socialaccount": 1, "social_auth_usersocialauth": 1});
        for revoke in [&[][..], &["--revoke-tokens"]] {
            let ran = w.run(&[&logout[..], revoke, &["-n"]].concat()).ok().json();
            assert_eq!(valid(&ran, "other_credentials"), one_of_each());
            assert_eq!(valid(&ran, "other_logins"), logins);
            assert!(ran["other_logins"].as_array().unwrap().iter().all(|one| one["sql"].is_null()));
        }
        w.run(&["logout-user", "42"])
            .ok()
            .says("2 passkeys (django-allauth, mfa_authenticator), 1 passkey (django-otp-webauthn, ")
            .says("1 social account (Python Social Auth, social_auth_usersocialauth) of user 42 stay: they are for logging in");
        let revoke = [&logout[..], &["--revoke-tokens"]].concat();
        let report = w.run(&revoke).ok().json();
        let ended = report["other_credentials"].as_array().unwrap();
        assert_eq!(ended.len(), TOKENS.len(), "{report}");
        assert!(ended.iter().all(|one| one["revoked"] == 1 && one["valid"] == 0), "{report}");
        let report = w.run(&revoke).ok().json();
        assert_eq!(
            (&report["other_credentials"], &valid(&report, "other_logins")),
            (&json!([]), &logins)
        );
        let others = w.run(&["logout-user", "7", "--format", "json"]).json();
        assert_eq!(valid(&others, "other_credentials"), one_of_each());
    });
}

#[test]
fn the_sql_that_is_shown_ends_every_kind() {
    World::each("tokens_kinds_sql", |w| {
        w.user("42", 1);
        tables(w);
        let logout = ["logout-user", "42", "--format", "json"];
        let report = w.run(&logout).ok().json();
        for one in report["other_credentials"].as_array().unwrap() {
            w.execute(one["sql"].as_str().unwrap().trim_end_matches(';'));
        }
        assert_eq!(w.run(&logout).ok().json()["other_credentials"], json!([]));
    });
}

/// Tokens of two providers as they make them, whether the site lets their owner in, and a passkey.
const PROVIDERS: &str = "
from datetime import timedelta
from allauth.idp.oidc.models import Client as Relying, Token
from allauth.mfa.models import Authenticator
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone
from jwcrypto import jwt
from oauth2_provider.models import AccessToken, Application, IDToken
import json, uuid
def make(name):
    user = get_user_model().objects.get(username=name)
    far = timezone.now() + timedelta(hours=1)
    app, _ = Application.objects.get_or_create(name='app', client_id='app', client_type='confidential', algorithm='HS256',
        authorization_grant_type='authorization-code', redirect_uris='https://a.example', hash_client_secret=False,
        client_secret='not-a-secret-outside-of-tests-but-long-enough')
    row = IDToken.objects.create(user=user, application=app, expires=far, scope='read', jti=uuid.uuid4())
    AccessToken.objects.create(user=user, token='access-' + name, application=app, expires=timezone.now(), scope='read', id_token=row)
    signed = jwt.JWT(header={'alg': 'HS256'}, claims={'jti': str(row.jti), 'aud': 'app', 'exp': int(far.timestamp())})
    signed.make_signed_token(app.jwk_key)
    relying, _ = Relying.objects.get_or_create(id='relying', name='relying')
    token = Token(type=Token.Type.ACCESS_TOKEN, client=relying, user=user, expires_at=far, scopes='openid')
    token.set_value('allauth-' + name)
    token.save()
    Authenticator.objects.create(user=user, type=Authenticator.Type.WEBAUTHN, data={'name': 'a', 'credential': {}})
    print(json.dumps(['Bearer ' + signed.serialize(), 'Bearer allauth-' + name]))
def lets_in(token):
    return [Client().get(path, HTTP_AUTHORIZATION=token).status_code == 200 for path in ('/toolkit', '/allauth')]
";

const URLS: &str = "
from allauth.idp.oidc.contrib.rest_framework.authentication import TokenAuthentication
from django.urls import path
from oauth2_provider.contrib.rest_framework import OAuth2Authentication
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView
from shop.urls import urlpatterns as shop
class Toolkit(APIView):
    authentication_classes = [OAuth2Authentication]
    permission_classes = [IsAuthenticated]
    def get(self, request):
        return Response({'user': str(request.user.pk)})
class AllAuth(Toolkit):
    authentication_classes = [TokenAuthentication]
urlpatterns = shop + [path('toolkit', Toolkit.as_view()), path('allauth', AllAuth.as_view())]
";

/// By request, on tables that the packages made.
#[test]
fn on_a_real_site_tokens_of_providers_are_revoked_and_a_passkey_stays() {
    let apps = "rest_framework oauth2_provider allauth allauth.account allauth.usersessions allauth.mfa allauth.idp.oidc";
    let variables = [("SITE_APP", apps)];
    for make in [Site::sqlite, Site::postgres, Site::mysql] {
        let site = make("tokens_kinds", "5.2", &variables);
        let site = &site.project(
            "",
            "ROOT_URLCONF = 'api_urls'\nALLOWED_HOSTS = ['*']\nOAUTH2_PROVIDER = {'OIDC_ENABLED': True, 'SCOPES': {'read': 'r'}}\n",
        );
        site.file("api_urls.py", URLS);
        let people = site.login(&["anna", "bert"]);
        let python = |code: &str| -> Value {
            serde_json::from_str(&site.python(&format!("{PROVIDERS}\n{code}"))).unwrap()
        };
        let tokens = ["anna", "bert"].map(|name| python(&format!("make('{name}')")));
        let let_in = |which: usize| {
            python(&format!("print(json.dumps([lets_in(t) for t in {}]))", tokens[which]))
        };
        let all = json!([[true, false], [false, true]]);
        assert_eq!(let_in(0), all);
        let logout = ["logout-user", &people[0].0, "--revoke-tokens", "--format", "json"];
        let report = site.run(&logout).ok().json();
        let ended = json!({"allauth_idp_oidc_token": 0, "oauth2_provider_idtoken": 0});
        assert_eq!(valid(&report, "other_credentials"), ended, "{report}");
        assert_eq!(valid(&report, "other_logins"), json!({"mfa_authenticator": 1}));
        assert_eq!(let_in(0), json!([[false, false], [false, false]]));
        assert_eq!(let_in(1), all);
    }
}
