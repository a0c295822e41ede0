mod behind;
mod bounds;
mod json;
mod login;
mod memo;
mod validity;

use super::super::json_text::JsonText;
use super::super::{Auth, DecodeError, Limits, LoginKeys};
use super::{Pickle, looks_like_pickle};

/// `SHORT_BINUNICODE '_auth_user_id'`.
const ID: &[u8] = b"\x8c\x0d_auth_user_id";
/// `SHORT_BINUNICODE '_auth_user_backend'`.
const BACKEND: &[u8] = b"\x8c\x12_auth_user_backend";

fn read(payload: &[u8]) -> Result<Pickle<'_>, DecodeError> {
    Pickle::read(payload, &Limits::default())
}

fn json(payload: &[u8]) -> Result<String, DecodeError> {
    let mut out = JsonText::default();
    out.bound(payload.len());
    read(payload)?.write_json(&mut out)?;
    Ok(out.into_string().unwrap())
}

/// The user of a session, or `None` if it is anonymous.
fn user(payload: &[u8]) -> Result<Option<String>, DecodeError> {
    let pickle = read(payload)?;
    let Auth { user_id, .. } = pickle.auth(&LoginKeys::default())?;
    Ok(user_id.map(Into::into))
}

fn backend(payload: &[u8]) -> Result<Option<String>, DecodeError> {
    let pickle = read(payload)?;
    let Auth { backend, .. } = pickle.auth(&LoginKeys::default())?;
    Ok(backend.map(Into::into))
}

/// The user of a session whose id these opcodes push.
fn user_of(value: &[u8]) -> Result<Option<String>, DecodeError> {
    user(&[b"}", ID, value, b"s."].concat())
}

/// What these opcodes push, as JSON.
fn value(opcodes: &[u8]) -> Result<String, DecodeError> {
    json(&[opcodes, b"."].concat())
}

const ANONYMOUS: Result<Option<String>, DecodeError> = Ok(None);
const INVALID: Result<String, DecodeError> = Err(DecodeError::Pickle);
const TOO_COMPLEX: Result<String, DecodeError> = Err(DecodeError::TooComplex);
