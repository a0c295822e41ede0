//! Rows of which only the beginning is looked at, since it may say that they are somebody else's.

use super::large::compressed;
use super::*;

/// The beginning is looked at after 26, 64, 128 and 320 bytes, and each look may end amid the number of a user.
#[test]
fn a_user_whose_number_an_early_look_cuts_is_not_missed() {
    let codec = codec(&[KEY]);
    let mut decoder = Decoder::new(&codec);
    let mut wanted = |user: &str, payload: &str| {
        for stored in [signed(payload.as_bytes(), &codec), compressed(payload.as_bytes())] {
            let found = decoder.decode_unless(&stored, |id| id != user);
            assert!(found.is_some(), "user {user} is missed in {payload}");
        }
    };
    let number: String = (0..340_u32).map(|at| char::from(b'1' + (at * 7 % 9) as u8)).collect();
    // Small rows are looked at, too, and of large ones no more than the beginning is decoded.
    for behind in ["a".repeat(100), "b".repeat(3_500)] {
        for digits in 1..number.len() {
            let user = &number[..digits];
            wanted(user, &format!(r#"{{"_auth_user_id":{user},"z":"{behind}"}}"#));
        }
        for before in 0..290 {
            let before = &number[..before];
            wanted("4213", &format!(r#"{{"a":"{before}","_auth_user_id":4213,"z":"{behind}"}}"#));
        }
    }
}
