use rcgen::{CertificateParams, KeyPair, PublicKeyData, SignatureAlgorithm};
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::der::{end_point, public_key};

fn certificate(algorithm: &'static SignatureAlgorithm) -> (Vec<u8>, KeyPair) {
    let key = KeyPair::generate_for(algorithm).unwrap();
    let params = CertificateParams::new(vec!["db.test".into()]).unwrap();
    (params.self_signed(&key).unwrap().der().to_vec(), key)
}

#[test]
fn a_channel_is_bound_by_the_hash_of_the_signature() {
    let (p256, _) = certificate(&rcgen::PKCS_ECDSA_P256_SHA256);
    assert_eq!(end_point(&p256), Some(Sha256::digest(&p256).to_vec()));
    let (p384, _) = certificate(&rcgen::PKCS_ECDSA_P384_SHA384);
    assert_eq!(end_point(&p384), Some(Sha384::digest(&p384).to_vec()));
    // It hashes nothing by itself, so nothing is agreed on.
    let (ed25519, _) = certificate(&rcgen::PKCS_ED25519);
    assert_eq!(end_point(&ed25519), None);
}

#[test]
fn every_signature_that_openssl_makes_is_known() {
    let rsa = |last: &[u8]| [&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01], last].concat();
    let ecdsa = |last: &[u8]| [&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04], last].concat();
    let sha2 = |last: u8| element(6, &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, last]);
    let pss = |hash: u8| element(0x30, &element(0xa0, &element(0x30, &sha2(hash))));
    for (algorithm, parameters, bits) in [
        (rsa(&[4]), vec![5, 0], 256),
        (rsa(&[5]), vec![5, 0], 256),
        (rsa(&[11]), vec![5, 0], 256),
        (rsa(&[12]), vec![5, 0], 384),
        (rsa(&[13]), vec![5, 0], 512),
        (rsa(&[10]), vec![0x30, 0], 256),
        (rsa(&[10]), pss(1), 256),
        (rsa(&[10]), pss(2), 384),
        (rsa(&[10]), pss(3), 512),
        (ecdsa(&[1]), vec![], 256),
        (ecdsa(&[3, 4]), vec![], 512),
        (ecdsa(&[3, 9]), vec![], 0),
        (rsa(&[99]), vec![], 0),
    ] {
        let algorithm = element(0x30, &[element(6, &algorithm), parameters].concat());
        let der = element(0x30, &[element(0x30, &[]), algorithm, element(3, &[0])].concat());
        let hash = match bits {
            256 => Some(Sha256::digest(&der).to_vec()),
            384 => Some(Sha384::digest(&der).to_vec()),
            512 => Some(Sha512::digest(&der).to_vec()),
            _ => None,
        };
        assert_eq!(end_point(&der), hash, "{der:02x?}");
    }
}

#[test]
fn the_public_key_is_found() {
    let (der, key) = certificate(&rcgen::PKCS_ECDSA_P256_SHA256);
    assert_eq!(public_key(&der), Some(&*key.subject_public_key_info()));
}

#[test]
fn what_is_no_certificate_is_none() {
    let (der, _) = certificate(&rcgen::PKCS_ECDSA_P256_SHA256);
    for end in 0..der.len() {
        assert_eq!((public_key(&der[..end]), end_point(&der[..end])), (None, None), "{end}");
    }
    for at in 0..der.len() {
        let mut odd = der.clone();
        odd[at] = 0xff;
        // Whatever comes of it, it ends.
        let _ = (public_key(&odd), end_point(&odd));
    }
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    [&[tag, u8::try_from(content.len()).unwrap()], content].concat()
}
