//! Certificates of a private authority, made for a test.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SigningKey, date_time_ymd,
};

/// A certificate and its key, both in PEM format.
pub(crate) struct Certificate {
    pub(crate) pem: String,
    pub(crate) key: String,
}

/// Who issues certificates.
pub(crate) struct Authority {
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = named(name, &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// A certificate for these names.
    pub(crate) fn issue(&self, common_name: &str, names: &[&str]) -> Certificate {
        self.sign(&named(common_name, names))
    }

    /// The same, but it expired in 2020.
    pub(crate) fn issue_expired(&self, name: &str) -> Certificate {
        let mut params = named(name, &[name]);
        params.not_after = date_time_ymd(2020, 1, 1);
        self.sign(&params)
    }

    fn sign(&self, params: &CertificateParams) -> Certificate {
        let key = KeyPair::generate().unwrap();
        let pem = params.signed_by(&key, &self.issuer).unwrap().pem();
        Certificate { pem, key: key.serialize_pem() }
    }
}

impl Certificate {
    /// As `openssl req -x509` makes them: its own authority, until the first day of a year.
    pub(crate) fn self_signed(name: &str, until: i32) -> Self {
        let mut params = named(name, &[name]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_after = date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, key: key.serialize_pem() }
    }

    /// As `openssl x509 -req` made them up to 3.1: of X.509 version 1, without extensions.
    pub(crate) fn version_1(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let der = named(name, &[]).self_signed(&key).unwrap().der().to_vec();
        let (signed, _) = parts(content(&der));
        let mut rest = content(signed);
        let mut fields = Vec::new();
        while !rest.is_empty() {
            let (field, after) = parts(rest);
            // Neither the version nor extensions.
            if ![0xa0, 0xa3].contains(&field[0]) {
                fields.extend_from_slice(field);
            }
            rest = after;
        }
        let (_, after_signed) = parts(content(&der));
        let (algorithm, _) = parts(after_signed);
        let signed = element(0x30, &fields);
        let signature = [&[0][..], &key.sign(&signed).unwrap()].concat();
        let whole = [&signed[..], algorithm, &element(0x03, &signature)].concat();
        let pem = pem(&element(0x30, &whole));
        Self { pem, key: key.serialize_pem() }
    }
}

fn named(name: &str, names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2010, 1, 1);
    params.not_after = date_time_ymd(2099, 1, 1);
    params
}

/// Length of the head and of the content of the first element of some DER.
fn lengths(der: &[u8]) -> (usize, usize) {
    match der[1] {
        short @ 0..=0x7f => (2, short.into()),
        0x81 => (3, der[2].into()),
        0x82 => (4, usize::from(der[2]) << 8 | usize::from(der[3])),
        long => panic!("a length of {long:#x}"),
    }
}

fn parts(der: &[u8]) -> (&[u8], &[u8]) {
    let (head, length) = lengths(der);
    der.split_at(head + length)
}

fn content(der: &[u8]) -> &[u8] {
    let (head, length) = lengths(der);
    &der[head..head + length]
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(content.len()).unwrap().to_be_bytes();
    let head = match (high, low) {
        (0, 0..=0x7f) => vec![tag, low],
        (0, _) => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    [&head[..], content].concat()
}

fn pem(der: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in der.chunks(3) {
        let bits = (0..3).fold(0, |bits, at| bits << 8 | u32::from(*group.get(at).unwrap_or(&0)));
        for place in 0..4 {
            let digit = char::from(DIGITS[(bits >> (18 - 6 * place) & 63) as usize]);
            text.push(if place <= group.len() { digit } else { '=' });
        }
    }
    let lines: Vec<String> =
        text.as_bytes().chunks(64).map(|line| String::from_utf8(line.to_vec()).unwrap()).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}
