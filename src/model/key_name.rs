//! Decides by the name of a key in session data whether a site may keep a login of its own under it.

/// Whether a site may keep a login of its own under this key. Called for every key of most rows, so nothing is copied.
pub fn may_be_login(key: &str) -> bool {
    let begins = |text: &[u8], word: &str| {
        text.get(..word.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(word.as_bytes()))
    };
    let mut rest = key.as_bytes();
    while let [first, behind @ ..] = rest {
        let words: &[&str] = match first.to_ascii_lowercase() {
            b'a' => &["account", "auth"],
            b'c' => &["customer", "client"],
            b'e' => &["employee", "email"],
            b'i' => &["ident"],
            b'l' => &["login"],
            b'm' => &["member"],
            b'o' => &["owner"],
            b'p' => &["person", "profile"],
            b's' => &["staff", "student"],
            b'u' => &["user", "uid"],
            _ => &[],
        };
        if words.iter().any(|word| begins(rest, word)) {
            // Django's other keys name no user; neither do django-allauth's keys of visitors.
            let others = [
                "_auth_user_backend",
                "_auth_user_hash",
                "socialaccount",
                "account_verified_email",
            ];
            return !others.iter().any(|other| begins(key.as_bytes(), other));
        }
        rest = behind;
    }
    false
}

/// Whether a key is called like the id of the user who is logged in, and like nothing else: `member_id`, `userId`,
/// `logged_in_user`, `customer`. A shop writes `stripe_customer_id` or `user_language` for visitors.
pub fn is_called_like_login(key: &str) -> bool {
    const BEFORE: [&str; 5] = ["current", "loggedin", "logged", "login", "auth"];
    const BEHIND: [&str; 4] = ["uuid", "uid", "pk", "id"];
    const USERS: [&str; 11] = [
        "user", "username", "member", "customer", "account", "client", "person", "profile",
        "staff", "employee", "student",
    ];
    if !may_be_login(key) {
        return false;
    }
    let letters = key.chars().filter(char::is_ascii_alphanumeric);
    let whole: String = letters.map(|one| one.to_ascii_lowercase()).collect();
    let name = BEHIND.iter().find_map(|end| whole.strip_suffix(end)).unwrap_or(&whole);
    let bare = BEFORE.iter().find_map(|begin| name.strip_prefix(begin)).unwrap_or(name);
    whole == "uid" || name == "login" || USERS.contains(&bare)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_a_login_is_told_from_what_a_shop_keeps_of_visitors() {
        for key in [
            "member_id",
            "MemberID",
            "_member_id",
            "userId",
            "user",
            "username",
            "logged_in_user",
            "current_user_id",
            "auth_user",
            "login_user_id",
            "customer",
            "customer-id",
            "account_uuid",
            "client_pk",
            "uid",
            "student_id",
            "login",
            "login_id",
            "useruid",
        ] {
            assert!(is_called_like_login(key), "{key}");
        }
        for key in [
            "cart",
            "cart_id",
            "basket_id",
            "guid",
            "visitor_uid",
            "stripe_customer_id",
            "user_language",
            "user_agent",
            "client_ip",
            "account_verified_email",
            "account_login",
            "account_user",
            "_auth_user_hash",
            "login_attempts",
            "oidc_login_next",
            "email",
            "guest_email",
            "owner_id",
            "id",
            "authid",
            "socialaccount_state",
            "account_authentication_methods",
            "customer_group_id",
            "profile_views",
            "user_cart_id",
            "",
        ] {
            assert!(!is_called_like_login(key), "{key}");
        }
    }
}
