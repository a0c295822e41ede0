//! The tables that are known, as the migrations of the packages make them.

use super::credentials::{CredentialTable, End, Valid, Whose};

/// Tables of what lets users in without a login.
pub static CREDENTIALS: &[CredentialTable] = &[
    CredentialTable {
        table: "authtoken_token",
        what: "API token",
        package: "Django REST framework",
        whose: Whose::Column("user_id"),
        valid: &[],
        end: End::Delete,
    },
    CredentialTable {
        table: "knox_authtoken",
        what: "API token",
        package: "django-rest-knox",
        whose: Whose::Column("user_id"),
        valid: &[Valid::Until("expiry")],
        end: End::Delete,
    },
    CredentialTable {
        table: "token_blacklist_outstandingtoken",
        what: "refresh token",
        package: "Simple JWT",
        whose: Whose::Column("user_id"),
        valid: &[
            Valid::Until("expires_at"),
            Valid::Unlisted("token_blacklist_blacklistedtoken", "token_id"),
        ],
        // Simple JWT accepts a token of which there is no row.
        end: End::List("token_blacklist_blacklistedtoken", "token_id", "blacklisted_at"),
    },
    CredentialTable {
        table: "oauth2_provider_accesstoken",
        what: "access token",
        package: "Django OAuth Toolkit",
        whose: Whose::Column("user_id"),
        valid: &[Valid::Until("expires")],
        end: End::Past("expires"),
    },
    CredentialTable {
        table: "oauth2_provider_refreshtoken",
        what: "refresh token",
        package: "Django OAuth Toolkit",
        whose: Whose::Column("user_id"),
        valid: &[Valid::Null("revoked")],
        end: End::Past("revoked"),
    },
    CredentialTable {
        table: "oauth2_provider_grant",
        what: "authorization code",
        package: "Django OAuth Toolkit",
        whose: Whose::Column("user_id"),
        valid: &[Valid::Until("expires")],
        end: End::Past("expires"),
    },
    CredentialTable {
        table: "oauth2_provider_idtoken",
        what: "ID token",
        package: "Django OAuth Toolkit",
        whose: Whose::Column("user_id"),
        valid: &[Valid::Until("expires")],
        // The toolkit takes the time from the token itself, if there is a row.
        end: End::DeleteReferred("oauth2_provider_accesstoken", "id_token_id"),
    },
    CredentialTable {
        table: "oauth2_provider_devicegrant",
        what: "device code",
        package: "Django OAuth Toolkit",
        whose: Whose::Column("user_id"),
        valid: &[Valid::Until("expires"), Valid::Is("status", "authorized")],
        end: End::Past("expires"),
    },
    CredentialTable {
        table: "allauth_idp_oidc_token",
        what: "token",
        package: "django-allauth, as a provider",
        whose: Whose::Column("user_id"),
        valid: &[Valid::Until("expires_at")],
        end: End::Delete,
    },
    CredentialTable {
        table: "oidc_provider_token",
        what: "token",
        package: "django-oidc-provider",
        whose: Whose::Column("user_id"),
        // Its refresh token does not expire.
        valid: &[],
        end: End::Delete,
    },
    CredentialTable {
        table: "oidc_provider_code",
        what: "authorization code",
        package: "django-oidc-provider",
        whose: Whose::Column("user_id"),
        valid: &[Valid::Until("expires_at")],
        end: End::Delete,
    },
    CredentialTable {
        table: "refresh_token_refreshtoken",
        what: "refresh token",
        package: "django-graphql-jwt",
        whose: Whose::Column("user_id"),
        valid: &[Valid::Null("revoked")],
        end: End::Past("revoked"),
    },
    CredentialTable {
        table: "durin_authtoken",
        what: "API token",
        package: "django-rest-durin",
        whose: Whose::Column("user_id"),
        valid: &[Valid::Until("expiry")],
        end: End::Delete,
    },
    CredentialTable {
        table: "tastypie_apikey",
        what: "API key",
        package: "django-tastypie",
        whose: Whose::Column("user_id"),
        valid: &[],
        end: End::Delete,
    },
    CredentialTable {
        table: "socialaccount_socialtoken",
        what: "token",
        package: "django-allauth, for other sites",
        whose: Whose::Through("account_id", "socialaccount_socialaccount"),
        valid: &[Valid::Until("expires_at")],
        end: End::Delete,
    },
];

/// Tables of what users log in with, as with a password.
pub static LOGINS: &[CredentialTable] = &[
    CredentialTable {
        table: "mfa_authenticator",
        what: "passkey",
        package: "django-allauth",
        whose: Whose::Column("user_id"),
        valid: &[Valid::Is("type", "webauthn")],
        end: End::Stays,
    },
    CredentialTable {
        table: "django_otp_webauthn_webauthncredential",
        what: "passkey",
        package: "django-otp-webauthn",
        whose: Whose::Column("user_id"),
        valid: &[Valid::True("confirmed")],
        end: End::Stays,
    },
    CredentialTable {
        table: "passkeys_userpasskey",
        what: "passkey",
        package: "django-passkeys",
        whose: Whose::Column("user_id"),
        valid: &[Valid::True("enabled")],
        end: End::Stays,
    },
    CredentialTable {
        table: "socialaccount_socialaccount",
        what: "social account",
        package: "django-allauth",
        whose: Whose::Column("user_id"),
        valid: &[],
        end: End::Stays,
    },
    CredentialTable {
        table: "social_auth_usersocialauth",
        what: "social account",
        package: "Python Social Auth",
        whose: Whose::Column("user_id"),
        valid: &[],
        end: End::Stays,
    },
];
