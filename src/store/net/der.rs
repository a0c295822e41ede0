//! Reads fields of a certificate that rustls does not expose, or not for certificates of version 1.

use sha2::{Digest, Sha256, Sha384, Sha512};

const SEQUENCE: u8 = 0x30;
const OBJECT: u8 = 0x06;
/// `[0]`: the version of a certificate, or the hash of an RSASSA-PSS signature.
const ZEROTH: u8 = 0xa0;

/// The public key with its algorithm.
pub(crate) fn public_key(certificate: &[u8]) -> Option<&[u8]> {
    let (mut rest, _) = parts(certificate)?;
    if rest.first() == Some(&ZEROTH) {
        rest = take(rest)?.rest;
    }
    // Serial number, signature algorithm, issuer, validity, subject.
    for _ in 0..5 {
        rest = take(rest)?.rest;
    }
    take(rest).filter(|key| key.tag == SEQUENCE).map(|key| key.whole)
}

/// The hash of the certificate to which SCRAM binds a channel (RFC 5929, `tls-server-end-point`):
/// by the hash of its signature, or SHA-256 in place of weaker ones. `None` where that has none.
pub(crate) fn end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    const RSA: [u8; 8] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
    const ECDSA: [u8; 6] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04];
    const SHA2: [u8; 8] = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02];
    let (_, signature) = parts(certificate)?;
    let algorithm = take(signature).filter(|object| object.tag == OBJECT)?;
    let bits = if let Some(rsa) = algorithm.content.strip_prefix(&RSA) {
        match rsa {
            [4 | 5 | 11] => 256,
            [12] => 384,
            [13] => 512,
            [10] => match pss_hash(algorithm.rest) {
                None => 256,
                Some(hash) => match hash.strip_prefix(&SHA2)? {
                    [1] => 256,
                    [2] => 384,
                    [3] => 512,
                    _ => return None,
                },
            },
            _ => return None,
        }
    } else {
        match algorithm.content.strip_prefix(&ECDSA)? {
            [1] | [3, 2] => 256,
            [3, 3] => 384,
            [3, 4] => 512,
            _ => return None,
        }
    };
    Some(match bits {
        256 => Sha256::digest(certificate).to_vec(),
        384 => Sha384::digest(certificate).to_vec(),
        _ => Sha512::digest(certificate).to_vec(),
    })
}

/// The hash that the parameters of RSASSA-PSS name; without one it is SHA-1.
fn pss_hash(parameters: &[u8]) -> Option<&[u8]> {
    let hash = take(take(parameters)?.content).filter(|hash| hash.tag == ZEROTH)?;
    take(take(hash.content)?.content).map(|object| object.content)
}

/// The contents of the signed part and of the signature's algorithm.
fn parts(certificate: &[u8]) -> Option<(&[u8], &[u8])> {
    let certificate = take(certificate).filter(|whole| whole.tag == SEQUENCE)?;
    let signed = take(certificate.content).filter(|signed| signed.tag == SEQUENCE)?;
    let algorithm = take(signed.rest).filter(|algorithm| algorithm.tag == SEQUENCE)?;
    Some((signed.content, algorithm.content))
}

struct Element<'d> {
    tag: u8,
    content: &'d [u8],
    whole: &'d [u8],
    rest: &'d [u8],
}

/// The first element of some DER.
fn take(der: &[u8]) -> Option<Element<'_>> {
    let (&tag, after) = der.split_first()?;
    let (&short, after) = after.split_first()?;
    let (length, after) = match short {
        0..=0x7f => (usize::from(short), after),
        0x81..=0x84 => {
            let (digits, after) = after.split_at_checked(usize::from(short & 0x7f))?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), after)
        }
        _ => return None,
    };
    let (content, rest) = after.split_at_checked(length)?;
    let whole = der.get(..der.len() - rest.len())?;
    Some(Element { tag, content, whole, rest })
}
