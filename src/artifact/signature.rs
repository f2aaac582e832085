//! Who a model's file comes from: signatures of minisign (Ed25519 over BLAKE2b). A checksum tells
//! damage; only a signature tells a file that somebody else has put there.

use std::io::Cursor;

use minisign::{PublicKey, SecretKey, SecretKeyBox, SignatureBox};

use crate::error::{Error, Result};

/// What is added to a file's name for the name of its signature.
pub const SIGNATURE_ENDING: &str = ".minisig";

/// The key that signs the models of a registry.
pub struct SigningKey(SecretKey);

/// The key by which signatures are checked.
#[derive(Debug, Clone, PartialEq)]
pub struct VerifyKey(PublicKey);

impl std::fmt::Debug for SigningKey {
    /// Without the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey")
    }
}

impl SigningKey {
    /// Reads the content of a key file that `minisign -G -W` has made. `name` stands in messages.
    ///
    /// # Errors
    /// If it is no such file, or the key has a password.
    pub fn parse(name: &str, text: &str) -> Result<Self> {
        SecretKeyBox::from_string(text)
            .and_then(SecretKeyBox::into_unencrypted_secret_key)
            .map(Self)
            .map_err(|error| {
                Error::request("it is no secret key without a password")
                    .object(name)
                    .hint("make one with `minisign -G -W`: nobody is there at night to type a password")
                    .source(error)
            })
    }

    /// The signature of a file, as the content of a file of its own. `comment` is signed too.
    ///
    /// # Errors
    /// If the system has no random numbers.
    pub fn sign(&self, file: &[u8], comment: &str) -> Result<String> {
        minisign::sign(
            None,
            &self.0,
            Cursor::new(file),
            Some(comment),
            Some("signature of a model of okuo"),
        )
        .map(SignatureBox::into_string)
        .map_err(|error| Error::system("the model cannot be signed").source(error))
    }
}

impl VerifyKey {
    /// Reads a public key: the second line of the file that `minisign -G` has made.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(text: &str) -> Result<Self> {
        PublicKey::from_base64(text.trim())
            .map(Self)
            .map_err(|error| {
                Error::request(format!(
                    "verify_key \"{text}\" is no public key of minisign"
                ))
                .hint("give the second line of minisign.pub, which begins with RW")
                .source(error)
            })
    }

    /// Checks a file's signature; `None` is a signature that is not there. `name` is the file's.
    ///
    /// # Errors
    /// If it is not there, is none, or is not of this key and this file.
    pub fn check(&self, name: &str, file: &[u8], signature: Option<&[u8]>) -> Result<()> {
        let hint = "train with --sign-key, or sign the file with `minisign -S`, if you know where it comes from; without verify_key, every model is used";
        let Some(signature) = signature else {
            return Err(Error::input(format!(
                "it has no signature ({name}{SIGNATURE_ENDING}), and verify_key asks for one"
            ))
            .object(name)
            .hint(hint));
        };
        let signature = std::str::from_utf8(signature).unwrap_or_default();
        SignatureBox::from_string(signature)
            .and_then(|signature| {
                minisign::verify(&self.0, &signature, Cursor::new(file), true, false, false)
            })
            .map_err(|error| {
                Error::input("its signature is not that of the key verify_key over this file")
                    .object(name)
                    .hint(hint)
                    .source(error)
            })
    }
}

#[cfg(test)]
mod tests {
    use minisign::KeyPair;

    use super::*;

    fn keys() -> (SigningKey, VerifyKey) {
        let KeyPair { pk, sk } = KeyPair::generate_unencrypted_keypair().unwrap();
        let text = sk.to_box(None).unwrap().into_string();
        let signing = SigningKey::parse("key", &text).unwrap();
        (signing, VerifyKey::parse(&pk.to_base64()).unwrap())
    }

    #[test]
    fn a_signature_is_of_one_key_and_one_file() {
        let (signing, key) = keys();
        let signature = signing.sign(b"model", "model of a night").unwrap();
        key.check("m", b"model", Some(signature.as_bytes()))
            .unwrap();
        let refused = |key: &VerifyKey, file: &[u8], signature: Option<&[u8]>| {
            let error = key.check("m", file, signature).unwrap_err();
            assert!(error.advice().is_some());
            error.to_string()
        };
        assert!(refused(&key, b"model", None).contains("no signature (m.minisig)"));
        for (key, file, signature) in [
            (&key, b"other", signature.as_bytes()),
            (&keys().1, b"model", signature.as_bytes()),
            (&key, b"model", b"untrusted comment: x\n".as_slice()),
            (&key, b"model", b"\xff".as_slice()),
            (
                &key,
                b"model",
                signature.replace("a night", "tonight").as_bytes(),
            ),
        ] {
            assert!(refused(key, file, Some(signature)).contains("not that of the key"));
        }
    }

    #[test]
    fn what_is_no_key_is_told() {
        for text in ["", "RWQ", "untrusted comment: minisign public key"] {
            assert!(VerifyKey::parse(text).is_err(), "{text}");
        }
        let KeyPair { sk, .. } =
            KeyPair::generate_encrypted_keypair(Some("secret".to_owned())).unwrap();
        for text in ["", "x\ny\n", &sk.to_box(None).unwrap().into_string()] {
            let error = SigningKey::parse("key", text).unwrap_err();
            assert!(error.to_string().contains("minisign -G -W"), "{error}");
        }
    }
}
