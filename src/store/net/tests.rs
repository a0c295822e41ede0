use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair, PublicKeyData, SignatureAlgorithm};
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConnection, Error, ServerConfig, ServerConnection};
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::der::{end_point, public_key};
use super::tls::Versions;
use super::{Encryption, Words};

static WORDS: Words = Words {
    server: "",
    roots: "",
    roots_of_the_system: "",
    certificate: "",
    key: "",
    only_the_issuer: None,
    unverified: "",
    by_another_name: "",
    roots_of_the_server: "",
    versions_of_the_server: "",
};

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
    let length = u8::try_from(content.len()).unwrap();
    let head = if length < 0x80 { vec![tag, length] } else { vec![tag, 0x81, length] };
    [&head[..], content].concat()
}

/// Shakes hands, verifying nothing, with a server that has this certificate and this key.
fn shake_hands(certificate: &[u8], key: &KeyPair, versions: Versions) -> Result<(), Error> {
    let config = Encryption::new(None, None, versions, &WORDS).unwrap().config;
    let mut client = ClientConnection::new(config, "db.test".try_into().unwrap())?;
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let key = ring::sign::any_supported_type(&key).unwrap();
    let resolver =
        SingleCertAndKey::from(CertifiedKey::new(vec![certificate.to_vec().into()], key));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(resolver));
    let mut server = ServerConnection::new(Arc::new(config))?;
    while client.is_handshaking() {
        let (mut there, mut back) = (Vec::new(), Vec::new());
        client.write_tls(&mut there).unwrap();
        server.read_tls(&mut &*there).unwrap();
        server.process_new_packets()?;
        server.write_tls(&mut back).unwrap();
        client.read_tls(&mut &*back).unwrap();
        client.process_new_packets()?;
    }
    Ok(())
}

/// Or whoever shows another server's certificate could have SCRAM bound to it.
#[test]
fn a_server_must_have_the_key_of_its_certificate_even_where_nothing_is_verified() {
    let (certificate, key) = certificate(&rcgen::PKCS_ECDSA_P256_SHA256);
    let fields = [element(2, &[1]), element(0x30, &[]), element(0x30, &[]), element(0x30, &[])];
    let spki = key.subject_public_key_info();
    let signed = element(0x30, &[fields.concat(), element(0x30, &[]), spki].concat());
    let algorithm = element(0x30, &element(6, &[1]));
    let version_1 = element(0x30, &[signed, algorithm, element(3, &[0])].concat());
    let other = KeyPair::generate().unwrap();
    let both = [&certificate, &version_1].map(|der| [(der, (true, false)), (der, (false, true))]);
    for (certificate, versions) in both.into_iter().flatten() {
        shake_hands(certificate, &key, versions).unwrap();
        let error = shake_hands(certificate, &other, versions).unwrap_err();
        assert!(format!("{error:?}").contains("BadSignature"), "{error:?}");
    }
}
