//! Models that are signed, and nights that use no others.

use minisign::KeyPair;

use super::sandbox::{NIGHT, Sandbox, TRAINED};

const TRAIN: [&str; 5] = ["train", "-i", "tickets.csv", "--as-of", TRAINED];
const SCORE: [&str; 7] = ["score", "-i", "tickets.csv", "--as-of", NIGHT, "-o", "out"];

fn keys() -> (String, String) {
    let KeyPair { pk, sk } = KeyPair::generate_unencrypted_keypair().unwrap();
    (pk.to_base64(), sk.to_box(None).unwrap().into_string())
}

#[test]
fn a_night_uses_a_model_only_with_the_signature_of_its_key() {
    let sandbox = Sandbox::new();
    let (public, secret) = keys();
    sandbox.write("okuo.key", &secret);
    let other = keys().0;
    let score = |key: &str| sandbox.okuo(&[&SCORE[..], &["--verify-key", key]].concat());

    let refused = sandbox.okuo(&[&TRAIN[..], &["--sign-key", "other.key"]].concat());
    assert!(refused.failed(1).err.contains("--sign-key"), "{refused}");
    sandbox.okuo(&TRAIN).done();
    let unsigned = score(&public);
    assert!(
        unsigned.failed(1).err.contains("has no signature"),
        "{unsigned}"
    );

    let no_night_would_use_it = [
        (vec!["--verify-key", &public], "no key to sign"),
        (
            vec!["--sign-key", "okuo.key", "--verify-key", &other],
            "not of one pair",
        ),
    ];
    for (keys, told) in no_night_would_use_it {
        let refused = sandbox.okuo(&[&TRAIN[..], &keys].concat());
        assert!(refused.failed(1).err.contains(told), "{refused}");
    }

    // The same training signs what stands.
    sandbox
        .okuo(&[&TRAIN[..], &["--sign-key", "okuo.key"]].concat())
        .done();
    score(&public).done();
    let file = format!("models/{}/model.okuo", sandbox.model_id());
    let by_file = [&SCORE[..], &["--verify-key", &public, "--model", &file]].concat();
    sandbox.okuo(&by_file).done();
    let others = score(&other);
    assert!(
        others.failed(1).err.contains("not that of the key"),
        "{others}"
    );
    let no_key = score("RWQ");
    assert!(no_key.failed(1).err.contains("minisign.pub"), "{no_key}");

    sandbox.write(&format!("{file}.minisig"), "untrusted comment: x\n");
    let broken = score(&public);
    assert!(
        broken.failed(1).err.contains("not that of the key"),
        "{broken}"
    );
    let broken = sandbox.okuo(&by_file);
    assert!(
        broken.failed(1).err.contains("not that of the key"),
        "{broken}"
    );
    sandbox.okuo(&SCORE).done();
}
